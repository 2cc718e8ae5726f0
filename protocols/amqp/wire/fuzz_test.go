package wire

import (
	"bytes"
	"errors"
	"testing"
)

// asError fails unless err is one of the protocol's, with a code that it knows.
func asError(t *testing.T, err error) {
	var e *Error
	if !errors.As(err, &e) || e.Code.name() == "" || e.Text == "" {
		t.Fatalf("not an error of the protocol: %v", err)
	}
}

// seeds are one of each method, empty, with every bit set, and with a table.
func seedMethods(f *testing.F) {
	for _, id := range MethodIDs() {
		f.Add(AppendMethod(nil, newMethod(id, nil)))
	}
	f.Add(AppendMethod(nil, &BasicPublish{Exchange: "amq.topic", RoutingKey: "a.b", Mandatory: true, Immediate: true}))
	f.Add(AppendMethod(nil, &QueueDeclare{Queue: "q", Durable: true, Arguments: sampleTable()}))
}

func sampleTable() Table {
	inner := Table(nil).Append("x-match", TextValue("all")).Append("n", Int64Value(-1))
	return Table(nil).Append("table", TableValue(inner)).
		Append("array", ArrayValue(Array(nil).Append(BoolValue(true)).Append(TableValue(inner)).Append(VoidValue()))).
		Append("", Float64Value(0.5)).Append("twice", Int32Value(1)).Append("twice", Int32Value(2)).
		Append("at", TimestampValue(1700000000)).Append("raw", BytesValue([]byte{0, 255}))
}

func FuzzMethod(f *testing.F) {
	seedMethods(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := DecodeMethod(payload, nil)
		if err != nil {
			asError(t, err)
			return
		}
		again := AppendMethod(nil, m)
		// Reserved fields, and bits that nobody defined, are not kept; all else is.
		if len(again) > len(payload) {
			t.Fatalf("%v re-encodes to %d octets, from %d", m, len(again), len(payload))
		}
		second, err := DecodeMethod(again, &Scratch{})
		if err != nil {
			t.Fatal(err)
		}
		if third := AppendMethod(nil, second); second.String() != m.String() || !bytes.Equal(third, again) {
			t.Fatalf("%v became %v", m, second)
		}
	})
}

func FuzzHeader(f *testing.F) {
	h := ContentHeader{BodyBytes: 10}
	f.Add(h.AppendTo(nil))
	h.Properties.SetHeaders(sampleTable())
	h.Properties.SetContentType("text/plain")
	h.Properties.SetTimestamp(1)
	h.Properties.SetReserved("r")
	f.Add(h.AppendTo(nil))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var h ContentHeader
		if err := DecodeHeader(payload, MethodBasicPublish, &h); err != nil {
			asError(t, err)
			return
		}
		_ = h.String()
		if again := h.AppendTo(nil); !bytes.Equal(again, payload) {
			t.Fatalf("%x re-encodes to %x", payload, again)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add(AppendHeartbeat(nil), uint32(0))
	f.Add(AppendMethodFrame(nil, 1, &BasicAck{DeliveryTag: 1}), uint32(FrameBytesMin))
	f.Add([]byte(ProtocolHeader), uint32(131072))
	f.Fuzz(func(t *testing.T, in []byte, frameMax uint32) {
		if frameMax != 0 && frameMax < FrameBytesMin {
			frameMax = FrameBytesMin
		}
		frame, n, err := DecodeFrame(in, frameMax)
		switch {
		case err != nil:
			asError(t, err)
		case n == 0:
			if need, err := FrameBytes(in, frameMax); err != nil || need != 0 && need <= int64(len(in)) {
				t.Fatalf("waits for %d octets, has %d: %v", need, len(in), err)
			}
		default:
			if again := AppendFrame(nil, frame); n > len(in) || !bytes.Equal(again, in[:n]) {
				t.Fatalf("%x re-encodes to %x", in[:n], again)
			}
		}
	})
}

// A table that is accepted can be walked to its last value, and is the table that its walk gives.
func FuzzTable(f *testing.F) {
	f.Add([]byte(sampleTable()))
	f.Add([]byte("\x01nS\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if checkTable(in, 1) != "" {
			return
		}
		if again := rebuild(t, in); !bytes.Equal(again, in) {
			t.Fatalf("%x walks as %x", in, again)
		}
		_ = Table(in).String()
	})
}

func rebuild(t *testing.T, in Table) (out Table) {
	for name, v := range in.All() {
		out = out.Append(string(name), rebuildValue(t, v))
	}
	return out
}

func rebuildValue(t *testing.T, v Value) Value {
	if table, ok := v.Table(); ok {
		return TableValue(rebuild(t, table))
	}
	if array, ok := v.Array(); ok {
		var out Array
		for item := range array.All() {
			out = out.Append(rebuildValue(t, item))
		}
		return ArrayValue(out)
	}
	if n, ok := v.Int(); ok && v.Kind == KindInt32 {
		return Int32Value(int32(n))
	}
	return v
}
