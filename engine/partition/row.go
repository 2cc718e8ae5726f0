package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrRow is wrapped when a row is not one that this package can have written: the store is corrupt.
var ErrRow = errors.New("partition: bad row")

// encoder appends integers.
type encoder struct{ b []byte }

func (e *encoder) uint(v uint64)   { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)     { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) uint32(v uint32) { e.b = binary.BigEndian.AppendUint32(e.b, v) }

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

// decoder reads what encoder wrote. After the first failure it yields zeroes; end tells.
type decoder struct {
	b      []byte
	failed bool
}

// open checks the version byte in front of every value.
func open(value []byte, version byte) decoder {
	if len(value) == 0 || value[0] != version {
		return decoder{failed: true}
	}
	return decoder{b: value[1:]}
}

// openUpTo gives the version byte in front of a value, which is 1 to most.
func openUpTo(value []byte, most byte) (decoder, byte) {
	if len(value) == 0 || value[0] == 0 || value[0] > most {
		return decoder{failed: true}, 0
	}
	return decoder{b: value[1:]}, value[0]
}

func (d *decoder) take(n int) []byte {
	if d.failed || n < 0 || n > len(d.b) {
		d.failed = true
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

// uint reads an unsigned integer of at most limit.
func (d *decoder) uint(limit uint64) uint64 {
	if d.failed {
		return 0
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit || n > 1 && d.b[n-1] == 0 { // the last: not the shortest form
		d.failed = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	u := d.uint(1<<64 - 1)
	return int64(u>>1) ^ -int64(u&1)
}

// intIn reads an integer of at least lo and at most hi.
func (d *decoder) intIn(lo, hi int64) int64 {
	v := d.int()
	if v < lo || v > hi {
		d.failed = true
		return 0
	}
	return v
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) bool() bool {
	b := d.take(1)
	if b == nil || b[0] > 1 {
		d.failed = true
		return false
	}
	return b[0] == 1
}

func (d *decoder) end(what string, key []byte) error {
	if d.failed || len(d.b) > 0 {
		return fmt.Errorf("%w: %s %x", ErrRow, what, key)
	}
	return nil
}
