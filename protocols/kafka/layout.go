package kafka

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/tallymq/tallymq/internal/invariant"
)

// layout is the shape of a request's body. Every body is walked by it before the codec sees it, because the codec
// (a) allocates an array for as many elements as a claimed length has bytes left, each tens to hundreds of bytes, and (b) loops over a claimed count of
// tagged fields, up to 2^32, even after the bytes ran out. A walked body holds every element it claims.
//
// The text of a layout names fields in wire order: b h w l u = 1, 2, 4, 8, 16 bytes; s, n = string, nullable; y, z =
// bytes, nullable; [ ... ] = array of structs; ( x ) = array of plain fields; { ... } = nullable struct. 3+: or 0-12: before a field are the
// versions that have it. Tagged fields at the end of each struct of a flexible version need no mention.
type layout struct {
	fields []field
}

type field struct {
	from, to int16
	kind     byte
	fields   []field // of an array's element
}

// parseLayout reads a layout's text; a wrong one is a bug.
func parseLayout(text string) *layout {
	words := strings.Fields(text)
	fields, rest := parseFields(text, words, "")
	invariant.Check(len(rest) == 0, "layout %q: %d words left", text, len(rest))
	return &layout{fields: fields}
}

func parseFields(text string, words []string, end string) (fs []field, rest []string) {
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		if word == end {
			return fs, words
		}
		f := field{to: math.MaxInt16}
		if versions, kind, ok := strings.Cut(word, ":"); ok {
			f.from, f.to = parseVersions(text, versions)
			word = kind
		}
		invariant.Check(len(word) == 1 && strings.Contains("bhwlusnyz[({", word), "layout %q: field %q", text, word)
		f.kind = word[0]
		switch f.kind {
		case '[':
			f.fields, words = parseFields(text, words, "]")
		case '(':
			f.fields, words = parseFields(text, words, ")")
		case '{':
			f.fields, words = parseFields(text, words, "}")
		}
		fs = append(fs, f)
	}
	invariant.Check(end == "", "layout %q: no %q", text, end)
	return fs, nil
}

func parseVersions(text, versions string) (from, to int16) {
	number := func(s string) int16 {
		n, err := strconv.ParseInt(s, 10, 16)
		invariant.Check(err == nil, "layout %q: version %q", text, s)
		return int16(n)
	}
	if first, ok := strings.CutSuffix(versions, "+"); ok {
		return number(first), math.MaxInt16
	}
	first, last, _ := strings.Cut(versions, "-")
	return number(first), number(last)
}

// check walks a body and says whether it holds what it claims; left is what follows it.
func (l *layout) check(body []byte, version int16, flexible bool) (left int, ok bool) {
	w := walker{b: body, version: version, flexible: flexible}
	w.fields(l.fields)
	if flexible {
		w.tags()
	}
	return len(w.b), !w.bad
}

// walker steps over the fields of a message. Once bad it stays bad and has no bytes.
type walker struct {
	b        []byte
	version  int16
	flexible bool
	bad      bool
	tagged   int
}

func (w *walker) fail() {
	w.bad = true
	w.b = nil
}

func (w *walker) take(n int) []byte {
	if n < 0 || n > len(w.b) {
		w.fail()
		return nil
	}
	t := w.b[:n]
	w.b = w.b[n:]
	return t
}

func (w *walker) number(size int) int {
	t := w.take(size)
	switch {
	case w.bad:
		return 0
	case size == 2:
		return int(int16(binary.BigEndian.Uint16(t)))
	default:
		return int(int32(binary.BigEndian.Uint32(t)))
	}
}

func (w *walker) uvarint() uint32 {
	n, size := binary.Uvarint(w.b)
	if size <= 0 || size > 5 || n > math.MaxUint32 {
		w.fail()
		return 0
	}
	w.b = w.b[size:]
	return uint32(n)
}

// length reads the length of a string, of bytes or of an array; −1 is null.
func (w *walker) length(size int) int {
	if w.flexible {
		return int(w.uvarint()) - 1
	}
	return w.number(size)
}

func (w *walker) nullableString() []byte {
	if n := w.number(2); n >= 0 {
		return w.take(n)
	}
	return nil
}

func (w *walker) sized(size int, nullable bool) {
	n := w.length(size)
	if n >= 0 || !nullable {
		w.take(n)
	}
}

func (w *walker) fields(fs []field) {
	for i := range fs {
		f := &fs[i]
		if w.bad {
			return
		}
		if w.version >= f.from && w.version <= f.to {
			w.field(f)
		}
	}
}

func (w *walker) field(f *field) {
	switch f.kind {
	case 'b':
		w.take(1)
	case 'h':
		w.take(2)
	case 'w':
		w.take(4)
	case 'l':
		w.take(8)
	case 'u':
		w.take(16)
	case 's':
		w.sized(2, false)
	case 'n':
		w.sized(2, true)
	case 'y', 'z': // null is read as empty where it is not allowed
		w.sized(4, true)
	case '{':
		if present := w.take(1); !w.bad && int8(present[0]) >= 0 {
			w.fields(f.fields)
			if w.flexible {
				w.tags()
			}
		}
	case '[', '(':
		for n := w.length(4); n > 0 && !w.bad; n-- {
			w.fields(f.fields)
			if f.kind == '[' && w.flexible {
				w.tags()
			}
		}
	}
}

// tags steps over tagged fields (KIP-482). The codec understands a few of them; they have no arrays.
func (w *walker) tags() {
	for n := w.uvarint(); n > 0 && !w.bad; n-- {
		if w.tagged++; w.tagged > tagsMax {
			w.fail()
			return
		}
		w.uvarint()
		w.take(int(w.uvarint()))
	}
}
