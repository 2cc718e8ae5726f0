package command

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What Decode fails with. A machine that reads ErrUnknownKind or ErrUnknownVersion from its log is older than the
// node that wrote it and must stop; ErrMalformed is a bug or damage.
var (
	ErrUnknownKind    = errors.New("command: unknown kind")
	ErrUnknownVersion = errors.New("command: unknown version")
	ErrMalformed      = errors.New("command: malformed")
)

// Kind is the first byte of a command or a result.
type Kind uint8

// KindOf is the kind of an encoded message.
func KindOf(b []byte) (Kind, error) {
	if len(b) < headerBytes {
		return 0, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	if k := Kind(b[0]); k.known() {
		return k, nil
	}
	return 0, fmt.Errorf("%w %#x", ErrUnknownKind, b[0])
}

// Message is a command or a result.
type Message interface {
	// Kind is the message's first byte.
	Kind() Kind
	// AppendTo appends the message's bytes in its newest version.
	AppendTo(dst []byte) []byte
	// Decode reads exactly one message of its kind, of any version. On an error the message is half filled.
	Decode(b []byte) error
	// String is one line with every field.
	String() string
}

// Decode reads a message of any kind, for dumps and tests; the hot paths switch on KindOf and decode into a struct
// they keep.
func Decode(b []byte) (Message, error) {
	k, err := KindOf(b)
	if err != nil {
		return nil, err
	}
	m := newMessage(k)
	if err := m.Decode(b); err != nil {
		return nil, err
	}
	return m, nil
}

// headerBytes are kind and version.
const headerBytes = 2

// decoder walks over the bytes of one message. After the first failure it yields zeroes; end tells.
type decoder struct {
	b       []byte
	version uint8
	failed  bool
}

// begin checks kind and version.
func (d *decoder) begin(b []byte, kind Kind, versionMax uint8) error {
	if len(b) < headerBytes {
		return fmt.Errorf("%w: %v: %d bytes", ErrMalformed, kind, len(b))
	}
	if Kind(b[0]) != kind {
		return fmt.Errorf("%w: kind %#x, want %v", ErrMalformed, b[0], kind)
	}
	if b[1] == 0 || b[1] > versionMax {
		return fmt.Errorf("%w %d of %v: newest known is %d", ErrUnknownVersion, b[1], kind, versionMax)
	}
	d.b, d.version = b[headerBytes:], b[1]
	return nil
}

// end says whether all was there and nothing is left.
func (d *decoder) end(kind Kind) error {
	if d.failed {
		return fmt.Errorf("%w: %v version %d: cut short or a value out of bounds", ErrMalformed, kind, d.version)
	}
	if len(d.b) != 0 {
		return fmt.Errorf("%w: %v version %d: %d bytes left over", ErrMalformed, kind, d.version, len(d.b))
	}
	return nil
}

// take cuts n bytes off, or fails.
func (d *decoder) take(n int) []byte {
	if d.failed || n > len(d.b) {
		d.failed = true
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) u8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) bool() bool {
	v := d.u8()
	if v > 1 {
		d.failed = true
	}
	return v == 1
}

func (d *decoder) id() (id [16]byte) {
	copy(id[:], d.take(len(id)))
	return id
}

// bytes borrows; nil and empty are both written as length 0 and read as nil.
func (d *decoder) bytes() []byte {
	n := d.u32()
	if n == 0 {
		return nil
	}
	if uint64(n) > uint64(len(d.b)) {
		d.failed = true
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) string() string { return string(d.bytes()) }

// payload takes the rest, which must be as long as the message said.
func (d *decoder) payload(length uint32) []byte {
	if uint64(length) != uint64(len(d.b)) {
		d.failed = true
	}
	if d.failed || length == 0 {
		return nil
	}
	return d.take(len(d.b))
}

// count reads how many elements follow, each of at least elementBytesMin bytes, so that a lie about it cannot make
// us allocate.
func (d *decoder) count(elementBytesMin int) int {
	n := d.u32()
	if d.failed || uint64(n)*uint64(elementBytesMin) > uint64(len(d.b)) {
		d.failed = true
		return 0
	}
	return int(n)
}

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendString(dst []byte, v string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
}

func appendBytes(dst []byte, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
}
