package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// text prints a method: its name, then each argument that is not zero as name=value.
type text struct {
	strings.Builder
}

func newText(id MethodID) *text {
	t := &text{}
	t.WriteString(id.String())
	return t
}

func (t *text) field(name, value string) { t.WriteString(" " + name + "=" + value) }

func (t *text) bit(name string, v bool) {
	if v {
		t.WriteString(" " + name)
	}
}

func (t *text) short(name, v string) {
	if v != "" {
		t.field(name, quote([]byte(v)))
	}
}

func (t *text) long(name string, v []byte) {
	if len(v) > 0 {
		t.field(name, quote(v))
	}
}

func (t *text) secret(name string, v []byte) { t.field(name, fmt.Sprintf("(%d bytes)", len(v))) }

func (t *text) octet(name string, v uint8)   { t.big(name, uint64(v)) }
func (t *text) word(name string, v uint16)   { t.big(name, uint64(v)) }
func (t *text) number(name string, v uint32) { t.big(name, uint64(v)) }

func (t *text) big(name string, v uint64) {
	if v != 0 {
		t.field(name, strconv.FormatUint(v, 10))
	}
}

// table prints a table; a nameless one without the equals sign, empty or not.
func (t *text) table(name string, v Table) {
	if name != "" {
		if len(v) == 0 {
			return
		}
		t.WriteString(" " + name + "=")
	}
	t.WriteByte('{')
	separator := ""
	for name, value := range v.All() {
		t.WriteString(separator + printable(name) + "=" + value.String())
		separator = " "
	}
	t.WriteByte('}')
}

// String is the letter of the value's kind, a colon, and the value.
func (v Value) String() string {
	if v.Kind == 0 {
		return "none"
	}
	return string(rune(v.Kind)) + ":" + v.bare()
}

func (v Value) bare() string {
	switch v.Kind {
	case KindBool:
		b, _ := v.Bool()
		return strconv.FormatBool(b)
	case KindFloat32, KindFloat64:
		f, _ := v.Float()
		return strconv.FormatFloat(f, 'g', -1, 64)
	case KindDecimal:
		scale, unscaled, _ := v.Decimal()
		return fmt.Sprintf("%de-%d", unscaled, scale)
	case KindTimestamp:
		s, _ := v.Timestamp()
		return strconv.FormatUint(s, 10)
	case KindText, KindBytes:
		return quote(v.raw)
	case KindTable:
		return Table(v.raw).String()
	case KindArray:
		var items []string
		for item := range Array(v.raw).All() {
			items = append(items, item.String())
		}
		return "[" + strings.Join(items, " ") + "]"
	case KindVoid:
		return ""
	}
	n, _ := v.Int()
	return strconv.FormatInt(n, 10)
}

// quote quotes what would not read well without quotes, and shortens it.
func quote(b []byte) string {
	if len(b) <= valueTextBytesMax {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("%q... (%d bytes)", b[:valueTextBytesMax], len(b))
}

// printable is a name, in quotes if it needs them.
func printable(b []byte) string {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == '=' || c == '"' || c == '{' || c == '}' {
			return quote(b)
		}
	}
	return string(b)
}
