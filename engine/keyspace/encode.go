package keyspace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrKey is wrapped when bytes are not a key of the table they should be of.
var ErrKey = errors.New("keyspace: not a key")

// The bytes that escape and close a string.
const (
	stringEscape  = 0x00
	stringEscaped = 0xFF
	stringEnd     = 0x01
)

// AppendUint32, AppendUint64 and AppendInt64 append integers so that bytes sort as the integers do.
func AppendUint32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }

// AppendUint64 : see AppendUint32.
func AppendUint64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// AppendInt32 sorts negative integers first.
func AppendInt32(dst []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(v)^1<<31)
}

// AppendInt64 sorts negative integers first.
func AppendInt64(dst []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v)^1<<63)
}

// AppendString appends s escaped and closed: strings sort bytewise, and no encoding is the prefix of another.
func AppendString(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == stringEscape {
			dst = append(dst, stringEscaped)
		}
	}
	return append(dst, stringEscape, stringEnd)
}

// Cursor takes a key apart, in the order in which it was put together. After the first failure it yields zeroes;
// End tells.
type Cursor struct {
	rest   []byte
	failed bool
}

// Open begins to read a key of table t.
func Open(t Table, key []byte) Cursor {
	if len(key) == 0 || key[0] != t {
		return Cursor{failed: true}
	}
	return Cursor{rest: key[1:]}
}

// End returns ErrKey unless everything was there and was read.
func (c *Cursor) End() error {
	if c.failed {
		return fmt.Errorf("%w: cut short or of another table", ErrKey)
	}
	if len(c.rest) > 0 {
		return fmt.Errorf("%w: %d bytes left over", ErrKey, len(c.rest))
	}
	return nil
}

func (c *Cursor) take(n int) []byte {
	if c.failed || len(c.rest) < n {
		c.failed = true
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

// Byte reads one byte.
func (c *Cursor) Byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint32 reads what AppendUint32 wrote.
func (c *Cursor) Uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads what AppendUint64 wrote.
func (c *Cursor) Uint64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Int32 reads what AppendInt32 wrote.
func (c *Cursor) Int32() int32 { return int32(c.Uint32() ^ 1<<31) }

// Int64 reads what AppendInt64 wrote.
func (c *Cursor) Int64() int64 { return int64(c.Uint64() ^ 1<<63) }

// ID reads 16 bytes.
func (c *Cursor) ID() (id [16]byte) {
	copy(id[:], c.take(len(id)))
	return id
}

// String reads what AppendString wrote.
func (c *Cursor) String() string {
	var s []byte
	for !c.failed {
		i := bytes.IndexByte(c.rest, stringEscape)
		if i < 0 || i+1 >= len(c.rest) {
			break
		}
		s = append(s, c.rest[:i]...)
		after := c.rest[i+1]
		c.rest = c.rest[i+2:]
		switch after {
		case stringEnd:
			return string(s)
		case stringEscaped:
			s = append(s, stringEscape)
		default:
			c.failed = true
		}
	}
	c.failed = true
	return ""
}

// Next is the least key above every key that begins with prefix; nil if there is none.
func Next(prefix []byte) []byte {
	hi := bytes.Clone(prefix)
	for i := len(hi) - 1; i >= 0; i-- {
		if hi[i] != 0xFF {
			hi[i]++
			return hi[:i+1]
		}
	}
	return nil
}
