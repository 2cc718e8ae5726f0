package connection

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// parseFrame reads one line of a script: a protocol header or other bytes as they are (raw "..."), or a channel and
//
//	NAME ARGUMENT=VALUE ...      a method, as it prints itself
//	content body-bytes=N ...     a content header
//	body "..." | body xN [T]     a body of that text, or of N bytes, T times
//	frame TYPE "..."             a frame of any type
//	heartbeat
func parseFrame(t *testing.T, line string) []byte {
	words := split(line)
	if words[0] == "raw" {
		return []byte(unquote(t, words[1]))
	}
	n, err := strconv.ParseUint(words[0], 10, 16)
	if err != nil {
		t.Fatalf("%s: want a channel first", line)
	}
	number := uint16(n)
	switch words[1] {
	case "heartbeat":
		return wire.AppendFrame(nil, wire.Frame{Type: wire.FrameHeartbeat, Channel: number})
	case "content":
		h := &wire.ContentHeader{}
		for _, w := range words[2:] {
			name, value, _ := strings.Cut(w, "=")
			if name == "body-bytes" {
				h.BodyBytes, _ = strconv.ParseUint(value, 10, 64)
				continue
			}
			set(t, reflect.ValueOf(&h.Properties).MethodByName("Set"+camel(name)), value)
		}
		return wire.AppendHeaderFrame(nil, number, h)
	case "body":
		if size, ok := strings.CutPrefix(words[2], "x"); ok {
			n, _ := strconv.Atoi(size)
			frame := wire.AppendFrame(nil, wire.Frame{Type: wire.FrameBody, Channel: number, Payload: make([]byte, n)})
			times := 1
			if len(words) > 3 {
				times, _ = strconv.Atoi(words[3])
			}
			return bytes.Repeat(frame, times)
		}
		return wire.AppendFrame(nil, wire.Frame{Type: wire.FrameBody, Channel: number, Payload: []byte(unquote(t, words[2]))})
	case "frame":
		kind, _ := strconv.Atoi(words[2])
		return wire.AppendFrame(nil, wire.Frame{Type: wire.FrameType(kind), Channel: number, Payload: []byte(unquote(t, words[3]))})
	}
	return wire.AppendMethodFrame(nil, number, parseMethod(t, words[1:]))
}

// set calls a setter of one argument with the value that the text stands for.
func set(t *testing.T, setter reflect.Value, text string) {
	v := reflect.New(setter.Type().In(0)).Elem()
	assign(t, v, text)
	setter.Call([]reflect.Value{v})
}

func parseMethod(t *testing.T, words []string) wire.Method {
	for _, id := range wire.MethodIDs() {
		if id.String() != words[0] {
			continue
		}
		// A method with all arguments zero, whatever they are, decodes from enough zeros: some prefix of them fits.
		for n := range 64 {
			payload := append([]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}, make([]byte, n)...)
			m, err := wire.DecodeMethod(payload, nil)
			if err != nil {
				continue
			}
			for _, w := range words[1:] {
				name, value, ok := strings.Cut(w, "=")
				if !ok {
					value = "true"
				}
				f := reflect.ValueOf(m).Elem().FieldByName(camel(name))
				if !f.IsValid() {
					t.Fatalf("%s has no argument %s", words[0], name)
				}
				assign(t, f, value)
			}
			return m
		}
	}
	t.Fatalf("no method %s", words[0])
	return nil
}

func assign(t *testing.T, f reflect.Value, text string) {
	switch f.Interface().(type) {
	case bool:
		f.SetBool(text == "true")
	case string:
		f.SetString(unquote(t, text))
	case []byte:
		f.SetBytes([]byte(unquote(t, text)))
	case wire.Table:
		f.Set(reflect.ValueOf(parseTable(t, text)))
	default:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		f.SetUint(n)
	}
}

// parseTable reads {name=S:"text" name=t:true name=I:1 name=F:{...}}.
func parseTable(t *testing.T, text string) (out wire.Table) {
	inside, ok := strings.CutPrefix(text, "{")
	if !ok {
		t.Fatalf("not a table: %s", text)
	}
	for _, w := range split(strings.TrimSuffix(inside, "}")) {
		name, value, _ := strings.Cut(w, "=")
		kind, value, _ := strings.Cut(value, ":")
		switch kind {
		case "S":
			out = out.Append(name, wire.TextValue(unquote(t, value)))
		case "t":
			out = out.Append(name, wire.BoolValue(value == "true"))
		case "I":
			n, _ := strconv.Atoi(value)
			out = out.Append(name, wire.Int32Value(int32(n)))
		case "F":
			out = out.Append(name, wire.TableValue(parseTable(t, value)))
		default:
			t.Fatalf("this test knows no kind %q", kind)
		}
	}
	return out
}

// split cuts at blanks that are not in quotes or braces.
func split(line string) (words []string) {
	depth, quoted, start := 0, false, -1
	for i, c := range line {
		switch {
		case c == '"' && (i == 0 || line[i-1] != '\\'):
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
		if c == ' ' && !quoted && depth == 0 {
			if start >= 0 {
				words = append(words, line[start:i])
			}
			start = -1
		} else if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		words = append(words, line[start:])
	}
	return words
}

func unquote(t *testing.T, s string) string {
	out, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return out
}

func camel(name string) (out string) {
	for _, w := range strings.Split(name, "-") {
		if w == "id" {
			out += "ID"
		} else {
			out += strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return out
}

// printOutput says in words what the server sends.
func printOutput(t *testing.T, out []byte) string {
	var b strings.Builder
	for len(out) > 0 {
		if strings.HasPrefix(string(out), "AMQP") {
			fmt.Fprintf(&b, "> %q\n", out[:8])
			out = out[8:]
			continue
		}
		f, n, err := wire.DecodeFrame(out, 0)
		if err != nil || n == 0 {
			t.Fatalf("the server sends %x: %v", out, err)
		}
		out = out[n:]
		switch f.Type {
		case wire.FrameMethod:
			m, err := wire.DecodeMethod(f.Payload, nil)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "> %d %v\n", f.Channel, m)
		case wire.FrameHeader:
			var h wire.ContentHeader
			if err := wire.DecodeHeader(f.Payload, 0, &h); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "> %d %v\n", f.Channel, &h)
		default:
			fmt.Fprintf(&b, "> %v\n", f)
		}
	}
	return b.String()
}

// printEvent is the event, and the body: its text, or a sum of a long one.
func printEvent(e Event) string {
	switch {
	case e.Kind != EventPublish || len(e.Body) == 0:
		return fmt.Sprintln(e)
	case len(e.Body) <= 32:
		return fmt.Sprintf("%v: %q\n", e, e.Body)
	}
	return fmt.Sprintf("%v, CRC %08x\n", e, crc32.ChecksumIEEE(e.Body))
}
