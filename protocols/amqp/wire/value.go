package wire

import (
	"encoding/binary"
	"math"
)

// ValueKind is the letter of a value's type. The letters are RabbitMQ's and its clients', which differ from those of the
// specification (https://www.rabbitmq.com/docs/amqp-0-9-1-errata). 0 is no value.
type ValueKind byte

// Kinds of values.
const (
	KindBool      ValueKind = 't'
	KindInt8      ValueKind = 'b'
	KindUint8     ValueKind = 'B'
	KindInt16     ValueKind = 's'
	KindUint16    ValueKind = 'u'
	KindInt32     ValueKind = 'I'
	KindUint32    ValueKind = 'i'
	KindInt64     ValueKind = 'l'
	KindInt64Old  ValueKind = 'L' // read as signed, as RabbitMQ does
	KindFloat32   ValueKind = 'f'
	KindFloat64   ValueKind = 'd'
	KindDecimal   ValueKind = 'D'
	KindText      ValueKind = 'S'
	KindBytes     ValueKind = 'x'
	KindTimestamp ValueKind = 'T'
	KindTable     ValueKind = 'F'
	KindArray     ValueKind = 'A'
	KindVoid      ValueKind = 'V'
)

// fixedBytes is how many bytes every value of the kind has, −1 when each says so itself. ok is false for a kind that
// does not exist.
func (k ValueKind) fixedBytes() (n int64, ok bool) {
	switch k {
	case KindVoid:
		return 0, true
	case KindBool, KindInt8, KindUint8:
		return 1, true
	case KindInt16, KindUint16:
		return 2, true
	case KindInt32, KindUint32, KindFloat32:
		return 4, true
	case KindDecimal:
		return 5, true
	case KindInt64, KindInt64Old, KindFloat64, KindTimestamp:
		return 8, true
	case KindText, KindBytes, KindTable, KindArray:
		return -1, true
	}
	return 0, false
}

// Value is one value of a table or array. Its bytes point into what it was decoded from.
type Value struct {
	Kind ValueKind
	raw  []byte // without kind and length
}

func (v Value) appendTo(to []byte) []byte {
	to = append(to, byte(v.Kind))
	if n, _ := v.Kind.fixedBytes(); n < 0 {
		return appendLongString(to, v.raw)
	}
	return append(to, v.raw...)
}

// Bool is the value of a bool.
func (v Value) Bool() (value, ok bool) {
	return v.Kind == KindBool && v.raw[0] != 0, v.Kind == KindBool
}

// Int is the value of any kind of integer.
func (v Value) Int() (int64, bool) {
	switch v.Kind {
	case KindInt8:
		return int64(int8(v.raw[0])), true
	case KindUint8:
		return int64(v.raw[0]), true
	case KindInt16:
		return int64(int16(binary.BigEndian.Uint16(v.raw))), true
	case KindUint16:
		return int64(binary.BigEndian.Uint16(v.raw)), true
	case KindInt32:
		return int64(int32(binary.BigEndian.Uint32(v.raw))), true
	case KindUint32:
		return int64(binary.BigEndian.Uint32(v.raw)), true
	case KindInt64, KindInt64Old:
		return int64(binary.BigEndian.Uint64(v.raw)), true
	}
	return 0, false
}

// Float is the value of both kinds of floating point.
func (v Value) Float() (float64, bool) {
	switch v.Kind {
	case KindFloat32:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(v.raw))), true
	case KindFloat64:
		return math.Float64frombits(binary.BigEndian.Uint64(v.raw)), true
	}
	return 0, false
}

// Decimal is the value of a decimal: unscaled / 10^scale.
func (v Value) Decimal() (scale uint8, unscaled uint32, ok bool) {
	if v.Kind != KindDecimal {
		return 0, 0, false
	}
	return v.raw[0], binary.BigEndian.Uint32(v.raw[1:]), true
}

// Timestamp is the value of a timestamp, in seconds since 1970.
func (v Value) Timestamp() (uint64, bool) {
	if v.Kind != KindTimestamp {
		return 0, false
	}
	return binary.BigEndian.Uint64(v.raw), true
}

// Text is the value of a text (in the specification, a long string).
func (v Value) Text() ([]byte, bool) { return v.raw, v.Kind == KindText }

// Bytes is the value of a byte array.
func (v Value) Bytes() ([]byte, bool) { return v.raw, v.Kind == KindBytes }

// Table is the value of a table.
func (v Value) Table() (Table, bool) {
	if v.Kind != KindTable {
		return nil, false
	}
	return v.raw, true
}

// Array is the value of an array.
func (v Value) Array() (Array, bool) {
	if v.Kind != KindArray {
		return nil, false
	}
	return v.raw, true
}

// BoolValue, and the functions that follow, make values.
func BoolValue(b bool) Value { return Value{KindBool, appendBits(nil, b)} }

// Int32Value is what most clients send for small numbers.
func Int32Value(n int32) Value { return Value{KindInt32, appendLong(nil, uint32(n))} }

// Int64Value is a long integer.
func Int64Value(n int64) Value { return Value{KindInt64, appendLongLong(nil, uint64(n))} }

// Float64Value is a double.
func Float64Value(f float64) Value {
	return Value{KindFloat64, appendLongLong(nil, math.Float64bits(f))}
}

// TextValue is a text.
func TextValue(s string) Value { return Value{KindText, []byte(s)} }

// BytesValue is a byte array, which points to b.
func BytesValue(b []byte) Value { return Value{KindBytes, b} }

// TimestampValue is a timestamp, in seconds since 1970.
func TimestampValue(seconds uint64) Value { return Value{KindTimestamp, appendLongLong(nil, seconds)} }

// TableValue is a table, which points to t.
func TableValue(t Table) Value { return Value{KindTable, t} }

// ArrayValue is an array, which points to a.
func ArrayValue(a Array) Value { return Value{KindArray, a} }

// VoidValue is a value that is there and says nothing.
func VoidValue() Value { return Value{Kind: KindVoid} }
