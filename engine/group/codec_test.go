package group

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// goldenState is version 1 of the format: it must stay decodable for ever.
const goldenState = "01" + "0000000000000007" + "02" + "00000003" + "00000008636f6e73756d6572" + "0000000572616e6765" + "00000001" + "61" +
	"00000000000003e8" + "00000001" +
	"0000000161" + "0000000169" + "0000000163" + "0000000168" + "0000000000002710" + "000000000000ea60" +
	"00000001" + "0000000572616e6765" + "000000026d61" + "0000000178"

func goldenExample() *State {
	return &State{Group: "g", Version: 7, Phase: PhaseStable, Generation: 3, ProtocolType: "consumer", Protocol: "range", Leader: "a", Since: 1000,
		Members: []Member{{ID: "a", Instance: "i", ClientID: "c", ClientHost: "h", SessionTimeout: 10_000, RebalanceTimeout: 60_000,
			Protocols: []broker.GroupProtocol{{Name: "range", Metadata: []byte("ma")}}, Assignment: []byte("x")}}}
}

func TestGoldenState(t *testing.T) {
	want := goldenExample()
	if got := hex.EncodeToString(want.AppendTo(nil)); got != goldenState {
		t.Errorf("encoded\n%s, golden\n%s", got, goldenState)
	}
	b, err := hex.DecodeString(goldenState)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeState("g", b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %v, %v", got, err)
	}
}

func drawState(t *rapid.T) *State {
	s := &State{Group: "g", Version: rapid.Uint64().Draw(t, "version"), Generation: broker.Generation(rapid.Int32().Draw(t, "generation")),
		ProtocolType: rapid.String().Draw(t, "type"), Protocol: rapid.String().Draw(t, "protocol"), Since: rapid.Uint64().Draw(t, "since")}
	ids := rapid.SliceOfNDistinct(rapid.StringN(1, 8, -1), 0, 4, rapid.ID[string]).Draw(t, "ids")
	for i, id := range ids {
		m := Member{ID: id, ClientID: rapid.String().Draw(t, "client"), SessionTimeout: rapid.Int64().Draw(t, "session"),
			RebalanceTimeout: rapid.Int64().Draw(t, "rebalance")}
		if rapid.Bool().Draw(t, "static") {
			m.Instance = "instance-" + id
		}
		for range rapid.IntRange(0, 2).Draw(t, "protocols") {
			m.Protocols = append(m.Protocols, broker.GroupProtocol{Name: rapid.String().Draw(t, "name"), Metadata: append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "metadata")...)})
		}
		if rapid.Bool().Draw(t, "assigned") {
			m.Assignment = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "assignment")...)
		}
		s.Members = append(s.Members, m)
		if i == 0 {
			s.Leader = id
			s.Phase = rapid.SampledFrom([]Phase{PhaseCompleting, PhaseStable}).Draw(t, "phase")
		}
	}
	return s
}

func TestStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawState(t)
		b := s.AppendTo(nil)
		if len(b) != s.Bytes() {
			t.Fatalf("%d bytes, said %d", len(b), s.Bytes())
		}
		got, err := DecodeState("g", b)
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Fatalf("decoded %+v\nencoded %+v: %v", got, s, err)
		}
	})
}

// FuzzState: what is accepted encodes to the same bytes; what a member says of its subscription never breaks us.
func FuzzState(f *testing.F) {
	f.Add(goldenExample().AppendTo(nil))
	f.Add((&State{}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeState("g", b)
		if err != nil {
			return
		}
		if again := s.AppendTo(nil); !bytes.Equal(again, b) {
			t.Fatalf("decoded %x\nencoded %x", b, again)
		}
		s.subscriptions()
	})
}

func FuzzOffset(f *testing.F) {
	f.Add(Offset{Offset: 5, Epoch: -1, Metadata: "m", CommittedAt: 9, RetentionMs: -1}.appendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := decodeOffset(b)
		if err == nil && !bytes.Equal(o.appendTo(nil), b) {
			t.Fatalf("decoded %x as %v", b, o)
		}
	})
}

func FuzzSubscription(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x00\x02\x00\x01a\x00\x02bc\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		topics := make(map[string]bool)
		if readSubscription(b, topics) {
			total := 0
			for name := range topics {
				total += len(name)
			}
			if total > len(b) {
				t.Fatalf("%d bytes of names in %d bytes", total, len(b))
			}
		}
	})
}

// A stable group whose members subscribe to other topics keeps nobody's offset of a topic that it gave up.
func TestOffsetsOfTopicsGivenUpExpire(t *testing.T) {
	w := newWorld(t)
	s := goldenExample()
	s.Version = 0
	s.Members[0].Protocols[0].Metadata = []byte("\x00\x01\x00\x00\x00\x01\x00\x06orders\xff\xff\xff\xff")
	w.propose(Store{State: s})
	for _, topic := range []string{"orders", "payments"} {
		w.commit(args{"member": "a", "instance": "i", "generation": "3", "topic": topic, "offset": "1"}, "g")
	}
	w.now = 1000
	w.apply(&command.GroupSweep{Budget: 10, OffsetsRetentionMs: 1000})
	if d := w.m.Dump(); strings.Contains(d, "payments") || !strings.Contains(d, "orders-0") {
		t.Fatalf("after the sweep:\n%s", d)
	}
}
