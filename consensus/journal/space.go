package journal

// SpaceLevel says how full the disk is, as far as appends are concerned.
type SpaceLevel uint8

// The levels of space. At SpaceLow leaders must refuse writes; at SpaceCritical appends live on the reserve.
const (
	SpaceOK SpaceLevel = iota
	SpaceLow
	SpaceCritical
)

func (l SpaceLevel) String() string { return [...]string{"ok", "low", "critical"}[l] }
