package routing

import (
	"fmt"
	"math"
)

// Kind is what sort of value a header or argument has.
type Kind uint8

// Kinds of values.
const (
	Void   Kind = iota // there, without a value
	Bool               // Int is 0 or 1
	Int                // any integer, and timestamps
	Float              // both sizes
	Text               // texts and byte arrays
	Opaque             // tables, arrays, decimals: equal if Text, their type and bytes, is
)

// Value is the value of a header or argument.
type Value struct {
	Kind  Kind
	Int   int64
	Float float64
	Text  string
}

// Argument is a name with a value: of an exchange or binding, or a header of a message.
type Argument struct {
	Name  string
	Value Value
}

// equal compares as RabbitMQ does: numbers by their value, whatever their types.
func (v Value) equal(w Value) bool {
	switch {
	case v.Kind == Int && w.Kind == Float:
		return sameNumber(v.Int, w.Float)
	case v.Kind == Float && w.Kind == Int:
		return sameNumber(w.Int, v.Float)
	}
	return v == w
}

// sameNumber compares exactly: above 2^53 not every integer has a float. 2^63 itself is no int64.
func sameNumber(n int64, f float64) bool {
	return f >= math.MinInt64 && f < -math.MinInt64 && f == math.Trunc(f) && int64(f) == n
}

func (v Value) String() string {
	switch v.Kind {
	case Void:
		return "void"
	case Bool:
		return fmt.Sprint(v.Int != 0)
	case Int:
		return fmt.Sprint(v.Int)
	case Float:
		return fmt.Sprintf("%gf", v.Float)
	case Text:
		return fmt.Sprintf("%q", v.Text)
	}
	return fmt.Sprintf("opaque %x", v.Text)
}

// find returns the first argument of that name.
func find(arguments []Argument, name string) (Value, bool) {
	for _, a := range arguments {
		if a.Name == name {
			return a.Value, true
		}
	}
	return Value{}, false
}
