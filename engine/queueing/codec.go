package queueing

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrRow is wrapped when a row is not one that this package can have written: the store is corrupt.
var ErrRow = errors.New("queueing: bad row")

// encoder appends integers as varints, and texts behind their length.
type encoder struct{ b []byte }

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }

func (e *encoder) bool(v bool) {
	if v {
		e.uint(1)
	} else {
		e.uint(0)
	}
}

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) session(s Session) {
	e.int(int64(s.Node))
	e.uint(s.Run)
	e.uint(s.Number)
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

func (d *decoder) uint() uint64 {
	if d.failed {
		return 0
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

// upTo reads an integer of at most limit.
func (d *decoder) upTo(limit uint64) uint64 {
	v := d.uint()
	if v > limit {
		d.failed = true
		return 0
	}
	return v
}

func (d *decoder) uint32() uint32 { return uint32(d.upTo(1<<32 - 1)) }
func (d *decoder) bool() bool     { return d.upTo(1) == 1 }

func (d *decoder) int() int64 {
	u := d.uint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) text() string {
	n := d.uint()
	if d.failed || n > uint64(len(d.b)) {
		d.failed = true
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

// count reads a number of things of at least one byte each, so that a lie cannot make us allocate.
func (d *decoder) count() int { return int(d.upTo(uint64(len(d.b)))) }

func (d *decoder) end(what string, key []byte) error {
	if d.failed || len(d.b) > 0 {
		return fmt.Errorf("%w: %s %x", ErrRow, what, key)
	}
	return nil
}
