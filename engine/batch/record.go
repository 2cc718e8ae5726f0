package batch

import "math"

// RecordHeader is one header of a record. A nil Value is null; a key is never null.
type RecordHeader struct {
	Key   string
	Value []byte
}

// Record is one record of a batch. Nil Key or Value is null, empty is empty.
type Record struct {
	Offset     int64 // absolute: base offset + delta
	Timestamp  int64 // ms; the batch's max timestamp under LogAppendTime
	Attributes int8  // no bit is defined yet
	Key        []byte
	Value      []byte
	Headers    []RecordHeader
}

// parsed is a record taken apart without copying: positions in the bytes it came from.
type parsed struct {
	attributes     int8
	timestampDelta int64
	offsetDelta    int32
	keyAt          int
	keyBytes       int32 // -1: null
	valueAt        int
	valueBytes     int32 // -1: null
	headersAt      int   // first header's first byte
	headers        int32
	end            int // where the next record begins
}

// parse takes apart the record at b[at:] and returns where the next one starts. Every length must lie inside its
// record and the fields must end where the record's length says.
func parse(b []byte, at int, p *parsed) (next int, err *Error) {
	length, body, ok := varint32(b, at)
	if !ok {
		return 0, failf(ErrInvalidRecord, at, "record length is not a varint of 32 bits")
	}
	if length < 0 || int(length) > len(b)-body {
		return 0, failf(ErrInvalidRecord, at, "record of %d bytes where %d are left", length, len(b)-body)
	}
	end := body + int(length)
	r := b[:end] // nothing below can read beyond the record
	at = body
	if at >= end {
		return 0, failf(ErrInvalidRecord, at, "record ends before its attributes")
	}
	p.attributes = int8(r[at])
	at++
	fieldAt := at
	if p.timestampDelta, at, ok = varint64(r, at); !ok {
		return 0, failf(ErrInvalidRecord, fieldAt, "timestamp delta is not a varint")
	}
	fieldAt = at
	if p.offsetDelta, at, ok = varint32(r, at); !ok {
		return 0, failf(ErrInvalidRecord, fieldAt, "offset delta is not a varint of 32 bits")
	}
	fieldAt = at
	if p.keyAt, p.keyBytes, at, ok = nullable(r, at); !ok {
		return 0, failf(ErrInvalidRecord, fieldAt, "key does not fit its record")
	}
	fieldAt = at
	if p.valueAt, p.valueBytes, at, ok = nullable(r, at); !ok {
		return 0, failf(ErrInvalidRecord, fieldAt, "value does not fit its record")
	}
	fieldAt = at
	if p.headers, at, ok = varint32(r, at); !ok || p.headers < 0 {
		return 0, failf(ErrInvalidRecord, fieldAt, "header count is negative or not a varint of 32 bits")
	}
	p.headersAt = at
	for i := int32(0); i < p.headers; i++ {
		// A count that lies ends here: each header takes at least two bytes of the record.
		fieldAt = at
		var keyBytes int32
		if _, keyBytes, at, ok = nullable(r, at); !ok || keyBytes < 0 {
			return 0, failf(ErrInvalidRecord, fieldAt, "key of header %d is null or does not fit its record", i)
		}
		fieldAt = at
		if _, _, at, ok = nullable(r, at); !ok {
			return 0, failf(ErrInvalidRecord, fieldAt, "value of header %d does not fit its record", i)
		}
	}
	if at != end {
		return 0, failf(ErrInvalidRecord, at, "record has %d bytes more than its fields", end-at)
	}
	p.end = end
	return end, nil
}

// record makes p a Record that borrows from b. It is only for what parse accepted.
func (p *parsed) record(b []byte, baseOffset, timestamp int64) Record {
	r := Record{
		Offset:     baseOffset + int64(p.offsetDelta),
		Timestamp:  timestamp,
		Attributes: p.attributes,
		Key:        slice(b, p.keyAt, p.keyBytes),
		Value:      slice(b, p.valueAt, p.valueBytes),
	}
	if p.headers == 0 {
		return r
	}
	r.Headers = make([]RecordHeader, p.headers)
	at := p.headersAt
	for i := range r.Headers {
		var from int
		var n int32
		from, n, at, _ = nullable(b, at)
		r.Headers[i].Key = string(b[from : from+int(n)])
		from, n, at, _ = nullable(b, at)
		r.Headers[i].Value = slice(b, from, n)
	}
	return r
}

// slice is b[at:at+n] with no room to grow into its neighbour; nil for null.
func slice(b []byte, at int, n int32) []byte {
	if n < 0 {
		return nil
	}
	return b[at : at+int(n) : at+int(n)]
}

// nullable reads a length and skips that many bytes; -1 is null, less is refused.
func nullable(b []byte, at int) (from int, n int32, next int, ok bool) {
	n, from, ok = varint32(b, at)
	if !ok || n < -1 || int(n) > len(b)-from {
		return 0, 0, at, false
	}
	if n == -1 {
		return from, n, from, true
	}
	return from, n, from + int(n), true
}

// varint32 reads a zigzag varint that fits 32 bits; at most five bytes.
func varint32(b []byte, at int) (v int32, next int, ok bool) {
	if at < len(b) && b[at] < 0x80 {
		u := b[at]
		return int32(u>>1) ^ -int32(u&1), at + 1, true
	}
	const bytesMax = 5
	u, next, ok := uvarint(b, at, bytesMax)
	if !ok || u > math.MaxUint32 {
		return 0, at, false
	}
	return int32(uint32(u)>>1) ^ -int32(u&1), next, true
}

// varint64 reads a zigzag varint; at most ten bytes.
func varint64(b []byte, at int) (v int64, next int, ok bool) {
	if at < len(b) && b[at] < 0x80 {
		u := b[at]
		return int64(u>>1) ^ -int64(u&1), at + 1, true
	}
	const bytesMax = 10
	u, next, ok := uvarint(b, at, bytesMax)
	if !ok {
		return 0, at, false
	}
	return int64(u>>1) ^ -int64(u&1), next, true
}

func uvarint(b []byte, at, bytesMax int) (u uint64, next int, ok bool) {
	for i := 0; i < bytesMax; i++ {
		if at+i >= len(b) {
			return 0, at, false
		}
		c := b[at+i]
		if i == 9 && c > 1 {
			return 0, at, false // the tenth byte has room for one bit
		}
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return u, at + i + 1, true
		}
	}
	return 0, at, false
}

func appendVarint(dst []byte, v int64) []byte {
	u := uint64(v<<1) ^ uint64(v>>63)
	for u >= 0x80 {
		dst = append(dst, byte(u)|0x80)
		u >>= 7
	}
	return append(dst, byte(u))
}

func varintBytes(v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	n := 1
	for u >= 0x80 {
		u >>= 7
		n++
	}
	return n
}
