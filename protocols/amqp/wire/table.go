package wire

import (
	"encoding/binary"
	"iter"

	"github.com/tallymq/tallymq/internal/invariant"
)

// Table is a field table as it is on the wire, without the length before it: names and values, in order. One that was
// decoded is whole. The zero value is the empty table.
type Table []byte

// Array is a field array as it is on the wire, without the length before it.
type Array []byte

// DecodeTable checks a whole table that stands somewhere else than in a method, for example in a response of AMQPLAIN.
// It points to in.
func DecodeTable(in []byte) (Table, error) {
	if why := checkTable(in, 1); why != "" {
		return nil, Errorf(SyntaxError, 0, "a table that %s", why)
	}
	return in, nil
}

// checkTable says what is wrong with a table that is depth deep, if anything.
func checkTable(t []byte, depth int) string {
	if depth > tableDepthMax {
		return "nests too deep"
	}
	for len(t) > 0 {
		n := int(t[0])
		if 1+n > len(t) {
			return "has a name that ends early"
		}
		var why string
		if t, why = checkValue(t[1+n:], depth); why != "" {
			return why
		}
	}
	return ""
}

func checkArray(a []byte, depth int) (why string) {
	if depth > tableDepthMax {
		return "nests too deep"
	}
	for len(a) > 0 && why == "" {
		a, why = checkValue(a, depth)
	}
	return why
}

// checkValue checks the value that begins in and returns what follows it.
func checkValue(in []byte, depth int) ([]byte, string) {
	if len(in) == 0 {
		return nil, "has a name without a value"
	}
	head, n, ok := valueBytes(in)
	switch {
	case !ok:
		return nil, "has a value of unknown type"
	case int64(head)+n > int64(len(in)):
		return nil, "has a value that ends early"
	}
	body, rest := in[head:int64(head)+n], in[int64(head)+n:]
	switch ValueKind(in[0]) {
	case KindTable:
		return rest, checkTable(body, depth+1)
	case KindArray:
		return rest, checkArray(body, depth+1)
	}
	return rest, ""
}

// valueBytes says how many bytes come before the value proper (its kind, and its length if that varies) and how many it
// has. ok is false for a kind that does not exist.
func valueBytes(in []byte) (head int, n int64, ok bool) {
	n, ok = ValueKind(in[0]).fixedBytes()
	if !ok || n >= 0 {
		return 1, n, ok
	}
	if len(in) < 5 {
		return 5, 0, true // more than there is: the caller sees that it ends early
	}
	return 5, int64(binary.BigEndian.Uint32(in[1:])), true
}

// takeValue is for what was checked.
func takeValue(in []byte) (v Value, rest []byte) {
	invariant.Check(len(in) > 0, "BUG: a table that was not checked ends early")
	head, n, ok := valueBytes(in)
	end := head + int(n)
	invariant.Check(ok && end <= len(in), "BUG: a table that was not checked has a value of kind %q", in[0])
	return Value{ValueKind(in[0]), in[head:end:end]}, in[end:]
}

// All walks over names and values in their order, duplicates included.
func (t Table) All() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		for len(t) > 0 {
			n := int(t[0])
			name := t[1 : 1+n : 1+n]
			v, rest := takeValue(t[1+n:])
			if !yield(name, v) {
				return
			}
			t = rest
		}
	}
}

// Lookup finds the first value of that name, as RabbitMQ does. What is not there has no kind.
func (t Table) Lookup(name string) Value {
	for n, v := range t.All() {
		if string(n) == name {
			return v
		}
	}
	return Value{}
}

// Append returns the table with one more entry. The name has at most ShortStringBytesMax bytes.
func (t Table) Append(name string, v Value) Table {
	return v.appendTo(appendShortString(t, name))
}

func (t Table) String() string {
	var out text
	out.table("", t)
	return out.String()
}

// All walks over the values in their order.
func (a Array) All() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for len(a) > 0 {
			v, rest := takeValue(a)
			if !yield(v) {
				return
			}
			a = rest
		}
	}
}

// Append returns the array with one more value.
func (a Array) Append(v Value) Array { return v.appendTo(a) }
