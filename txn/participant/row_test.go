package participant_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/participant"
)

const id = txn.ProducerID(7)

// rows of a partition's producer with data, and of a group's with two pending offsets.
func rows(t interface{ Fatal(...any) }) (ofPartition, ofGroup []byte) {
	var p participant.Partition
	var g participant.Group
	grant := txn.Grant{ProducerID: id, Epoch: 3, Number: 5}
	if r := p.Grant(grant, 100); r != nil {
		t.Fatal(r)
	}
	p.Appended(id, 17, 101)
	if r := g.Grant(grant, 100); r != nil {
		t.Fatal(r)
	}
	r := g.Offer(participant.Offer{ProducerID: id, Epoch: 3, Connection: txn.Generation{Term: 2, Count: 1}, Term: 2, Offsets: []participant.Offset{
		{Topic: topic, Partition: 1, Offset: 9, LeaderEpoch: -1, Name: "t", Metadata: "m", Written: 4}, {Topic: topic, Partition: 2, Offset: 8, Written: 4}}}, 102)
	if r != nil {
		t.Fatal(r)
	}
	ofPartition, _ = p.AppendRow(nil, id)
	ofGroup, _ = g.AppendRow(nil, id)
	return ofPartition, ofGroup
}

// FuzzLoadRow: whatever the bytes, a row is refused as such or comes out again as it went in.
func FuzzLoadRow(f *testing.F) {
	a, b := rows(f)
	f.Add(a)
	f.Add(b)
	f.Add(a[:len(a)-8]) // of queues: without the first offset
	f.Fuzz(func(t *testing.T, row []byte) {
		var p participant.Partition
		var g participant.Group
		again, _ := loaded(t, row, p.LoadRow(id, row), p.AppendRow)
		if again == nil && p.String() != "0 producers, 0 undecided" {
			t.Fatalf("refused, and there: %s", p.Describe())
		}
		var q participant.Queues
		again, _ = loaded(t, row, q.LoadRow(id, row), q.AppendRow)
		if again == nil && q.String() != "0 producers" {
			t.Fatalf("refused, and there: %s", q.Describe())
		}
		again, _ = loaded(t, row, g.LoadRow(id, row), g.AppendRow)
		if again == nil && g.String() != "0 producers, 0 with pending offsets" {
			t.Fatalf("refused, and there: %s", g.Describe())
		}
	})
}

func loaded(t *testing.T, row []byte, err error, store func([]byte, txn.ProducerID) ([]byte, bool)) ([]byte, bool) {
	if err != nil {
		if !errors.Is(err, txn.ErrRow) {
			t.Fatal(err)
		}
		return nil, false
	}
	again, ok := store(nil, id)
	if !ok || !bytes.Equal(again, row) {
		t.Fatalf("%x came out as %x", row, again)
	}
	return again, ok
}

func TestEveryShorterRowIsRefused(t *testing.T) {
	a, b := rows(t)
	for n := range a {
		var p participant.Partition
		if err := p.LoadRow(id, a[:n]); !errors.Is(err, txn.ErrRow) {
			t.Fatalf("%d of %d bytes: %v", n, len(a), err)
		}
	}
	for n := range b {
		var g participant.Group
		if err := g.LoadRow(id, b[:n]); !errors.Is(err, txn.ErrRow) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}
