package coordinator_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
)

// rows of an id that is new, one with an open transaction and two owed, and one that nearly ran out of epochs.
func rows(t interface{ Fatal(...any) }) [][]byte {
	m := coordinator.New(coordinator.Default())
	c := coordinator.Context{Now: 1000, Term: 3}
	must := func(r *txn.Refusal) {
		if r != nil {
			t.Fatal(r)
		}
	}
	var all [][]byte
	for name, transactions := range []int{0, 2} {
		name := string(rune('a' + name))
		b, r := m.Init(c, coordinator.InitRequest{Name: name, Expected: coordinator.Nobody, TimeoutMs: 10, Fresh: txn.ProducerID(name[0]), Connection: txn.Generation{Term: 3, Count: 2}})
		must(r)
		who := b.Identity
		for i := range transactions + 1 {
			_, r = m.Add(c, coordinator.AddRequest{Name: name, Who: who, Version: coordinator.V2,
				Participants: []txn.Participant{{Topic: [16]byte{1}, Partition: 2}, txn.GroupParticipant("g")}})
			must(r)
			if i < transactions {
				e, r := m.End(c, coordinator.EndRequest{Name: name, Who: who, Version: coordinator.V2, Outcome: txn.Commit, Fresh: -1})
				must(r)
				who = e.Identity
			}
		}
		row, _ := m.AppendRow(nil, name)
		all = append(all, row)
	}
	return all
}

// FuzzLoadRow: whatever the bytes, a row is refused as such or comes out again as it went in.
func FuzzLoadRow(f *testing.F) {
	for _, row := range rows(f) {
		f.Add(row)
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		m := coordinator.New(coordinator.Default())
		if err := m.LoadRow("a", row); err != nil {
			if !errors.Is(err, txn.ErrRow) || m.Len() != 0 {
				t.Fatalf("%v, %d ids", err, m.Len())
			}
			return
		}
		again, ok := m.AppendRow(nil, "a")
		if !ok || !bytes.Equal(again, row) {
			t.Fatalf("%x came out as %x", row, again)
		}
		_ = m.Describe()
	})
}

func TestEveryShorterRowIsRefused(t *testing.T) {
	for _, row := range rows(t) {
		for n := range row {
			if err := coordinator.New(coordinator.Default()).LoadRow("a", row[:n]); !errors.Is(err, txn.ErrRow) {
				t.Fatalf("%d of %d bytes: %v", n, len(row), err)
			}
		}
		if err := coordinator.New(coordinator.Default()).LoadRow("a", append(row, 0)); !errors.Is(err, txn.ErrRow) {
			t.Fatalf("a byte more: %v", err)
		}
	}
}

func TestRowOfANameOrProducerThatIsThereIsRefused(t *testing.T) {
	row := rows(t)[0]
	m := coordinator.New(coordinator.Default())
	if err := m.LoadRow("a", row); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if err := m.LoadRow(name, row); !errors.Is(err, txn.ErrRow) {
			t.Fatalf("%s: %v", name, err)
		}
	}
}
