package stream

import (
	"encoding/hex"
	"reflect"
	"testing"
)

// Entries lie in logs, and payloads are named by positions in them: these bytes never change.
func TestGoldenEntries(t *testing.T) {
	for _, g := range []struct {
		want string
		e    Entry
	}{
		{"010101000000030200000000000005040000000000000600000007000000000000000800000000000000000000000001000002000000040000000900000000000000626f6479000000000a00000000000000", Entry{Header: Header{Kind: KindCommands, Node: 1, Incarnation: 0x0203, First: 0x0405, Round: 6, ClockTerm: 7, Clock: 8, Wall: 1 << 40, Count: 2},
			Commands: []Command{{Term: 9, Body: []byte("body")}, {Term: 10, Body: []byte{}}}}},
		{"0102ffffff7f0200000000000000ffffffffffffffff0000000000000000000000000000000000000000000000000000000000000000", Entry{Header: Header{Kind: KindOpen, Node: 1<<31 - 1, Incarnation: 2, First: 1<<64 - 1}}},
		{"010303000000000000000000000000000000000000000000000000000000000100000500000000000000ffffffffffffffff00000000", Entry{Header: Header{Kind: KindLeaderStart, Node: 3, ClockTerm: 1 << 40, Clock: 5, Wall: -1}}},
	} {
		want, e := g.want, g.e
		if got := hex.EncodeToString(AppendEntry(nil, &e)); got != want {
			t.Errorf("%v is\n%s, golden\n%s", e.Kind, got, want)
		}
		b, err := hex.DecodeString(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Entry
		if err := Decode(b, &got); err != nil {
			t.Errorf("%v: %v", e.Kind, err)
			continue
		}
		for i := range got.Commands {
			got.Commands[i].Position = 0 // counted from the start of the entry
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("decoded %+v, want %+v", got, e)
		}
	}
}

// The state stands in the control row of every replica.
func TestGoldenMeta(t *testing.T) {
	const golden = "01000000000001000002000000630000000000000002000000010000000200000000000000ffffffffffffffff040000000000000005000000010000000000000000000000000000000100000000000000"
	s := State{term: 1 << 40, leader: 2, clock: 99, streams: []Stream{{Node: 1, Incarnation: 2, Nonce: 1<<64 - 1, Next: 4}, {Node: 5, Incarnation: 1, Next: 1}}}
	if got := hex.EncodeToString(s.AppendMeta(nil)); got != golden {
		t.Errorf("encoded\n%s, golden\n%s", got, golden)
	}
	b, err := hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeMeta(b); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("decoded %+v, %v", got, err)
	}
}
