package consensus

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tallymq/tallymq/consensus/journal"
)

func FuzzForwardWire(f *testing.F) {
	f.Add(appendForward(appendForward(nil, 1, &Proposal{Term: 2, Head: []byte("a"), Payload: []byte("b")}), 2, &Proposal{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		if err := eachForward(b, func(id, term uint64, body []byte) {
			again = appendForward(again, id, &Proposal{Term: term, Head: body})
		}); err == nil && !bytes.Equal(again, b) {
			t.Fatalf("encodes as %x, was %x", again, b)
		}
	})
}

func FuzzAnswerWire(f *testing.F) {
	f.Add(appendAnswer(appendAnswer(nil, 1, []byte("r"), nil), 2, nil, ErrStaleTerm))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		if err := eachAnswer(b, func(uint64, []byte, error) { n++ }); err == nil && n*answerHeadBytes > len(b) {
			t.Fatalf("%d answers in %d bytes", n, len(b))
		}
	})
}

func FuzzNamesWire(f *testing.F) {
	f.Add(appendNames(nil, 3, []journal.Name{{Index: 1, Position: 2, Length: 3, CRC: 4}}), []byte{0, 0, 0, 0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b, reply []byte) {
		shard, names, err := decodeNames(b)
		if err != nil {
			return
		}
		if again := appendNames(nil, shard, names); !bytes.Equal(again, b) {
			t.Fatalf("encodes as %x, was %x", again, b)
		}
		if ps, err := decodePayloads(reply, names); err == nil && len(ps)*4 > len(reply) {
			t.Fatalf("%d payloads in %d bytes", len(ps), len(reply))
		}
	})
}

// What the far end answered keeps its meaning: above all, unknown stays unknown and not applied stays not applied.
func TestAnswersKeepTheirMeaning(t *testing.T) {
	for _, want := range []error{nil, ErrStaleTerm, notApplied(ErrClosed), unknownOutcome(ErrClosed), notApplied(ErrNoReplica)} {
		err := eachAnswer(appendAnswer(nil, 9, []byte("r"), want), func(id uint64, result []byte, got error) {
			if id != 9 || (want == nil) != (got == nil) || (want == nil && string(result) != "r") {
				t.Fatalf("%v became %v", want, got)
			}
			for _, class := range []error{ErrStaleTerm, ErrNotApplied, ErrUnknownOutcome, ErrNoReplica} {
				if errors.Is(want, class) != errors.Is(got, class) {
					t.Fatalf("%v became %v", want, got)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// A status of a later version is not a failure.
	if err := eachAnswer([]byte{1, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0}, func(_ uint64, _ []byte, err error) {
		if !errors.Is(err, ErrUnknownOutcome) {
			t.Fatal(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}
