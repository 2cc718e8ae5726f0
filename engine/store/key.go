package store

import (
	"encoding/binary"
	"math"
)

// The keys of the database:
//
//	00                             format: version of this layout
//	01 | shard 8 | replica 8       control row of a replica: generation, applied index, meta
//	02 | generation 4 | key        rows
//
// A generation is a number that the store gives to one set of rows of one replica, never to two. The control row says
// which one is live, so that one small write swaps all rows of a replica, and rows carry 5 bytes instead of 21. Rows of
// a generation that no control row names are dead. All numbers are big-endian.
const (
	kindFormat  = 0x00
	kindControl = 0x01
	kindRow     = 0x02

	formatVersion = 1

	controlKeyBytes = 1 + 8 + 8
	prefixBytes     = 1 + 4

	generationMax = math.MaxUint32 - 1
)

// generation numbers one set of rows; 0 is none.
type generation uint32

func putPrefix(dst []byte, g generation) {
	dst[0] = kindRow
	binary.BigEndian.PutUint32(dst[1:prefixBytes], uint32(g))
}

// appendLow appends the key that a lower bound stands for: nil is the beginning of the generation.
func appendLow(dst []byte, g generation, lo []byte) []byte {
	var p [prefixBytes]byte
	putPrefix(p[:], g)
	return append(append(dst, p[:]...), lo...)
}

// appendHigh appends the key that an upper bound stands for: nil is the end of the generation.
func appendHigh(dst []byte, g generation, hi []byte) []byte {
	if hi == nil {
		return appendLow(dst, g+1, nil)
	}
	return appendLow(dst, g, hi)
}

func putControlKey(dst []byte, id ID) {
	dst[0] = kindControl
	binary.BigEndian.PutUint64(dst[1:9], id.Shard)
	binary.BigEndian.PutUint64(dst[9:controlKeyBytes], id.Replica)
}

func controlKey(id ID) []byte {
	k := make([]byte, controlKeyBytes)
	putControlKey(k, id)
	return k
}

func parseControlKey(k []byte) (ID, bool) {
	if len(k) != controlKeyBytes || k[0] != kindControl {
		return ID{}, false
	}
	return ID{Shard: binary.BigEndian.Uint64(k[1:9]), Replica: binary.BigEndian.Uint64(k[9:])}, true
}

func generationOf(k []byte) (generation, bool) {
	if len(k) < prefixBytes || k[0] != kindRow {
		return 0, false
	}
	g := generation(binary.BigEndian.Uint32(k[1:prefixBytes]))
	return g, g > 0 && g <= generationMax
}
