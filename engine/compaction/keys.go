package compaction

import (
	"crypto/sha256"

	"github.com/tallymq/tallymq/engine/broker"
)

// keys holds, of each key of the dirty part of a log, the offset of its newest record. Keys are compared whole, long
// ones by a hash under which nobody can make two alike: taking one key for another would lose a record.
type keys struct {
	newest  map[string]broker.Offset
	bytes   int
	scratch []byte
}

func newKeys() *keys { return &keys{newest: map[string]broker.Offset{}} }

// name is what stands for a key, with a first byte that keeps whole keys and hashes apart. Valid until the next call.
func (k *keys) name(key []byte) []byte {
	if len(key) <= keyWholeBytesMax {
		k.scratch = append(append(k.scratch[:0], 'k'), key...)
		return k.scratch
	}
	sum := sha256.Sum256(key)
	k.scratch = append(append(k.scratch[:0], 'h'), sum[:]...)
	return k.scratch
}

// note says that a key has a record at an offset, above all that were noted before.
func (k *keys) note(key []byte, at broker.Offset) {
	name := k.name(key)
	if _, known := k.newest[string(name)]; !known {
		k.bytes += len(name) + keyOverheadBytes
	}
	k.newest[string(name)] = at
}

// superseded says that a record of a key at an offset has a newer one.
func (k *keys) superseded(key []byte, at broker.Offset) bool {
	newest, known := k.newest[string(k.name(key))]
	return known && newest > at
}
