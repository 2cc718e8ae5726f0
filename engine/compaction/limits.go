package compaction

import "github.com/tallymq/tallymq/engine/partition"

const (
	// KeysBytesDefault bounds the map of keys of a pass. At 100 bytes for a key and what the map costs with it, a pass
	// goes over some 600,000 keys; a log with more takes several.
	KeysBytesDefault = 64 << 20

	// SliceBytesDefault is how many bytes of rewritten batches one command carries, unless one alone is larger: one entry
	// that the shard's producers hardly notice.
	SliceBytesDefault = 256 << 10

	// SliceRowsDefault is how many rows one step looks at, and so the most that one command replaces.
	SliceRowsDefault = 512

	// keyOverheadBytes is what a key costs beside its bytes: string header, offset, and the map's own.
	keyOverheadBytes = 64

	// keyWholeBytesMax is the longest key that the map holds as it is; longer ones by their SHA-256.
	keyWholeBytesMax = 64

	million = 1_000_000
)

// Limits bound a pass; zero fields take the defaults.
type Limits struct {
	KeysBytes  int // of the keys in memory
	SliceBytes int // of rewritten batches in one command
	SliceRows  int // rows looked at for one command
}

func (l Limits) withDefaults() Limits {
	for _, x := range []struct {
		v *int
		d int
	}{{&l.KeysBytes, KeysBytesDefault}, {&l.SliceBytes, SliceBytesDefault}, {&l.SliceRows, SliceRowsDefault}} {
		if *x.v == 0 {
			*x.v = x.d
		}
	}
	l.SliceRows = min(l.SliceRows, partition.CompactItemsMax)
	return l
}
