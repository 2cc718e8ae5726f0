package wire

import "encoding/binary"

// reader takes values off the front of a payload. After the first failure it returns zero values, so that decoders need
// ask only once, at their end.
type reader struct {
	in   []byte // what is left
	why  string // of the first failure
	what string // the field that failed
}

func (r *reader) failed() bool { return r.why != "" }

func (r *reader) fail(field, why string) {
	if !r.failed() {
		r.what, r.why = field, why
	}
	r.in = nil
}

// take returns the next n bytes, or nil.
func (r *reader) take(field string, n int) []byte {
	if n > len(r.in) {
		r.fail(field, "ends early")
		return nil
	}
	b := r.in[:n:n]
	r.in = r.in[n:]
	return b
}

func (r *reader) octet(field string) uint8 {
	if b := r.take(field, 1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) short(field string) uint16 {
	if b := r.take(field, 2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) long(field string) uint32 {
	if b := r.take(field, 4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) longLong(field string) uint64 {
	if b := r.take(field, 8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// shortString stores the next short string in s. A publisher names the same exchange and key again and again: a string
// that did not change is not made again.
func (r *reader) shortString(field string, s *string) {
	b := r.take(field, int(r.octet(field)))
	if *s != string(b) {
		*s = string(b)
	}
}

func (r *reader) skipShortString(field string) { r.take(field, int(r.octet(field))) }

// longString points into the input; empty ones are nil.
func (r *reader) longString(field string) []byte {
	n := r.long(field)
	if uint64(n) > uint64(len(r.in)) { // compared before n becomes an int, which may be smaller
		r.fail(field, "ends early")
		return nil
	}
	if n == 0 {
		return nil
	}
	return r.take(field, int(n))
}

// table points into the input, and is whole.
func (r *reader) table(field string) Table {
	b := r.longString(field)
	if why := checkTable(b, 1); why != "" {
		r.fail(field, why)
		return nil
	}
	return b
}
