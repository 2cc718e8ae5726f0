package journal

import (
	"fmt"
	"sync"
)

// SpaceLevel says how full the disk is, as far as appends are concerned.
type SpaceLevel uint8

// The levels of space. At SpaceLow leaders must refuse writes; at SpaceCritical appends live on the reserve.
const (
	SpaceOK SpaceLevel = iota
	SpaceLow
	SpaceCritical
)

func (l SpaceLevel) String() string {
	switch l {
	case SpaceOK:
		return "ok"
	case SpaceLow:
		return "low"
	case SpaceCritical:
		return "critical"
	}
	return fmt.Sprintf("space level %d", uint8(l))
}

// space holds the level and says when it changes.
type space struct {
	mu     sync.Mutex
	level  SpaceLevel
	report func(SpaceLevel)
}

func (s *space) get() SpaceLevel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.level
}

func (s *space) set(l SpaceLevel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.level != l {
		atSpaceChanged.Hit()
		s.level = l
		s.report(l)
	}
}

// raise never lowers the level.
func (s *space) raise(l SpaceLevel) { s.set(max(s.get(), l)) }

// measure sets the level from the disk: low when fewer segments than spaceLowSegments could still be made besides the
// reserve, critical when the reserve has been touched.
func (j *Journal) measure() {
	j.spares.mu.Lock()
	ready, missing := int64(len(j.spares.ready)), j.reserveFiles()-int64(len(j.spares.reserve))
	j.spares.mu.Unlock()
	usage, err := j.fs.GetDiskUsage(j.dir)
	free := int64(spaceLowSegments)
	if err == nil {
		free = int64(min(usage.AvailBytes/uint64(j.opts.SegmentBytes), 1<<20))
	} else if j.full.Load() {
		free = 0 // the file system does not say, but it has refused
	}
	room := ready + free - max(missing, 0)
	switch {
	case room >= spaceLowSegments:
		j.space.set(SpaceOK)
	case missing > 0 && free == 0:
		j.space.set(SpaceCritical)
	default:
		j.space.set(SpaceLow)
	}
}
