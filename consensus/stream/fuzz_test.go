package stream

import (
	"bytes"
	"testing"
)

func FuzzDecode(f *testing.F) {
	f.Add(AppendEntry(nil, &Entry{Header: Header{Kind: KindOpen, Node: 1, First: 7}}))
	f.Add(AppendEntry(nil, &Entry{Header: Header{Kind: KindLeaderStart, Node: 2, ClockTerm: 3, Clock: 9}}))
	f.Add(AppendEntry(nil, &Entry{Header: Header{Kind: KindCommands, Node: 1, Incarnation: 1, First: 1}, Commands: []Command{{Term: 4, Body: []byte("body")}, {}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Entry
		if err := Decode(b, &e); err != nil {
			return
		}
		if cap(e.Commands)*commandHeadBytes > 4*len(b)+1024 {
			t.Fatalf("%d commands allocated for %d bytes", cap(e.Commands), len(b))
		}
		for _, c := range e.Commands {
			if !bytes.Equal(b[c.Position:int(c.Position)+len(c.Body)], c.Body) {
				t.Fatal("a position does not name its body")
			}
		}
		if again := AppendEntry(nil, &e); !bytes.Equal(again, b) {
			t.Fatalf("encodes as %x, was %x", again, b)
		}
		var s State
		s.Apply(&e)
	})
}

func FuzzDecodeMeta(f *testing.F) {
	s := State{term: 3, leader: 1, clock: 99, streams: []Stream{{Node: 1, Incarnation: 2, Nonce: 3, Next: 4}, {Node: 5, Incarnation: 1, Next: 1}}}
	f.Add(s.AppendMeta(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeMeta(b)
		if err != nil || len(b) == 0 {
			return
		}
		if again := s.AppendMeta(nil); !bytes.Equal(again, b) {
			t.Fatalf("encodes as %x, was %x", again, b)
		}
	})
}
