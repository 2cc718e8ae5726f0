package wire

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// drawValue draws a value of any kind, tables and arrays at most levels deep.
func drawValue(t *rapid.T, levels int) Value {
	kinds := []ValueKind{
		KindBool, KindInt8, KindUint8, KindInt16, KindUint16, KindInt32, KindUint32, KindInt64, KindInt64Old, KindFloat32,
		KindFloat64, KindDecimal, KindText, KindBytes, KindTimestamp, KindVoid, KindTable, KindArray,
	}
	if levels == 0 {
		kinds = kinds[:len(kinds)-2]
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	switch kind {
	case KindTable:
		return TableValue(drawTable(t, levels-1))
	case KindArray:
		var a Array
		for range rapid.IntRange(0, 3).Draw(t, "values") {
			a = a.Append(drawValue(t, levels-1))
		}
		return ArrayValue(a)
	}
	n, _ := kind.fixedBytes()
	if n < 0 {
		n = rapid.Int64Range(0, 40).Draw(t, "bytes")
	}
	return Value{kind, rapid.SliceOfN(rapid.Byte(), int(n), int(n)).Draw(t, "raw")}
}

func drawTable(t *rapid.T, levels int) (out Table) {
	for range rapid.IntRange(0, 4).Draw(t, "entries") {
		name := rapid.StringN(0, 20, ShortStringBytesMax).Draw(t, "name")
		out = out.Append(name, drawValue(t, levels))
	}
	return out
}

// fill draws every field of a generated struct. A new kind of field fails the test.
func fill(t *rapid.T, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		name := v.Type().Field(i).Name
		switch x := f.Addr().Interface().(type) {
		case *bool:
			*x = rapid.Bool().Draw(t, name)
		case *uint8:
			*x = rapid.Uint8().Draw(t, name)
		case *uint16:
			*x = rapid.Uint16().Draw(t, name)
		case *uint32:
			*x = rapid.Uint32().Draw(t, name)
		case *uint64:
			*x = rapid.Uint64().Draw(t, name)
		case *string:
			*x = rapid.StringN(0, -1, ShortStringBytesMax).Draw(t, name)
		case *[]byte:
			*x = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, name)
		case *Table:
			*x = drawTable(t, 3)
		case *PropertyFlags:
			*x = PropertyFlags(rapid.Uint16().Draw(t, name)) & propertyFlagsKnown
		default:
			t.Fatalf("field %s has a type that this test does not know", name)
		}
	}
}

// Every method decodes to what was encoded, with and without a scratch that holds another one of its kind.
func TestMethodsRoundTrip(t *testing.T) {
	ids := MethodIDs()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom(ids).Draw(t, "method")
		first, m := newMethod(id, nil), newMethod(id, nil)
		fill(t, reflect.ValueOf(first).Elem())
		fill(t, reflect.ValueOf(m).Elem())
		scratch := &Scratch{}
		if _, err := DecodeMethod(AppendMethod(nil, first), scratch); err != nil {
			t.Fatal(err)
		}
		payload := AppendMethod([]byte("before"), m)[len("before"):]
		for _, s := range []*Scratch{nil, scratch} {
			got, err := DecodeMethod(payload, s)
			if err != nil {
				t.Fatal(err)
			}
			if got.ID() != id || got.String() != m.String() {
				t.Fatalf("%v became %v", m, got)
			}
			if again := AppendMethod(nil, got); !bytes.Equal(again, payload) {
				t.Fatalf("%v re-encodes to\n%x, not\n%x", m, again, payload)
			}
		}
		// No prefix of it is a method, and nothing may follow it.
		cut := rapid.IntRange(0, len(payload)-1).Draw(t, "cut")
		if got, err := DecodeMethod(payload[:cut:cut], nil); err == nil {
			t.Fatalf("the first %d octets of %v decode to %v", cut, m, got)
		}
		if got, err := DecodeMethod(append(payload, 0), nil); err == nil {
			t.Fatalf("%v and an octet more decodes to %v", m, got)
		}
	})
}

func TestHeadersRoundTrip(t *testing.T) {
	var used ContentHeader // keeps the strings of the header before
	rapid.Check(t, func(t *rapid.T) {
		h := &ContentHeader{BodyBytes: rapid.Uint64().Draw(t, "body")}
		fill(t, reflect.ValueOf(&h.Properties).Elem())
		payload := h.AppendTo(nil)
		if err := DecodeHeader(payload, MethodBasicPublish, &used); err != nil {
			t.Fatal(err)
		}
		if used.String() != h.String() {
			t.Fatalf("%v became %v", h, &used)
		}
		if again := used.AppendTo(nil); !bytes.Equal(again, payload) {
			t.Fatalf("%v re-encodes to\n%x, not\n%x", h, again, payload)
		}
		cut := rapid.IntRange(0, len(payload)-1).Draw(t, "cut")
		if err := DecodeHeader(payload[:cut:cut], MethodBasicPublish, &used); err == nil {
			t.Fatalf("the first %d octets of %v decode", cut, h)
		}
	})
}

// A stream of frames that arrives in pieces gives the frames that were sent.
func TestFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var sent []Frame
		for range rapid.IntRange(1, 5).Draw(t, "frames") {
			f := Frame{
				Type:    rapid.SampledFrom([]FrameType{FrameMethod, FrameHeader, FrameBody}).Draw(t, "type"),
				Channel: rapid.Uint16().Draw(t, "channel"),
				Payload: rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "payload"),
			}
			sent = append(sent, f)
			stream = AppendFrame(stream, f)
		}
		for there := 0; len(sent) > 0; there++ {
			f, n, err := DecodeFrame(stream[:min(there, len(stream))], FrameBytesMin)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				if there > len(stream) {
					t.Fatalf("%d frames never came", len(sent))
				}
				continue
			}
			if f.Type != sent[0].Type || f.Channel != sent[0].Channel || !bytes.Equal(f.Payload, sent[0].Payload) {
				t.Fatalf("%v became %v", sent[0], f)
			}
			sent, stream, there = sent[1:], stream[n:], 0
		}
	})
}

func TestBodiesAreSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 3*FrameBytesMin).Draw(t, "body")
		frameMax := rapid.SampledFrom([]uint32{0, FrameBytesMin, FrameBytesMin + 1}).Draw(t, "frame-max")
		stream := AppendBodyFrames(nil, 7, body, frameMax)
		var got []byte
		for len(stream) > 0 {
			f, n, err := DecodeFrame(stream, frameMax)
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
			if f.Type != FrameBody || f.Channel != 7 || len(f.Payload) == 0 || frameMax != 0 && n > int(frameMax) {
				t.Fatalf("%v of %d bytes", f, n)
			}
			got, stream = append(got, f.Payload...), stream[n:]
		}
		if !bytes.Equal(got, body) {
			t.Fatalf("%d bytes became %d", len(body), len(got))
		}
	})
}
