package wire

import (
	"encoding/binary"
	"math"

	"github.com/tallymq/tallymq/internal/invariant"
)

func appendOctet(to []byte, v uint8) []byte     { return append(to, v) }
func appendShort(to []byte, v uint16) []byte    { return binary.BigEndian.AppendUint16(to, v) }
func appendLong(to []byte, v uint32) []byte     { return binary.BigEndian.AppendUint32(to, v) }
func appendLongLong(to []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(to, v) }

func appendShortString(to []byte, s string) []byte {
	invariant.Check(len(s) <= ShortStringBytesMax, "BUG: a short string of %d bytes", len(s))
	return append(append(to, byte(len(s))), s...)
}

func appendLongString(to []byte, s []byte) []byte {
	invariant.Check(len(s) <= math.MaxUint32, "BUG: a long string of %d bytes", len(s))
	return append(appendLong(to, uint32(len(s))), s...)
}

func appendTable(to []byte, t Table) []byte { return appendLongString(to, t) }

// appendBits packs up to eight bits into an octet, the first into its lowest bit.
func appendBits(to []byte, bits ...bool) []byte {
	var octet byte
	for i, b := range bits {
		if b {
			octet |= 1 << i
		}
	}
	return append(to, octet)
}
