package queueing

import (
	"flag"
	"os"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn"
)

var addGolden = flag.Bool("add-golden", false, "write golden files that are missing; existing ones are never touched")

// openTransaction has a transaction cover a delivery and a message, and a node that does not lead ask for a lease.
func openTransaction(t interface{ Fatal(...any) }, m *Machine) {
	if r := m.Grant(Context{Index: 30, Position: 4, Clock: 1000}, txn.Grant{ProducerID: 3, Epoch: 1, Number: 2, Coordinator: 9,
		Earlier: []txn.Decision{{ProducerID: 3, Epoch: 1, Number: 1, Outcome: txn.Commit}}}); r != nil {
		t.Fatal(r)
	}
	for i, c := range []command.Message{
		&command.QueuePrepare{ProducerID: 3, Epoch: 1, Number: 2, Node: 1, Run: 77, Session: 9, Items: []command.QueueSettlement{{Queue: 5, Number: 1}},
			Messages: []command.QueueMessage{{Targets: []command.QueueTarget{{Queue: 5}}, Size: 3, ExpirationMs: 7, CRC: 0xABCF, Length: 3}}, PayloadLength: 3, Payload: []byte("ghi")},
		&command.QueueLease{Node: 2, Run: 78, HoldMs: 1000},
	} {
		if _, _, err := m.Apply(Context{Index: uint64(31 + i), Position: 4, Clock: 1000, ClockOld: true}, c.AppendTo(nil), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// goldenRows has a row of every table, as of some commands: folded, or not yet.
func goldenRows(t *testing.T, foldAt int, holds bool) string {
	m, rows := New(), &keyspace.Mem{}
	m.foldAt = foldAt
	config := command.QueueConfig{TTLMs: 5000, LengthMax: 10, BytesMax: -1, DeliveryLimit: 3}
	for i, c := range []command.Message{
		&command.QueueLease{Node: 1, Run: 77, HoldMs: 1000},
		&command.QueueCreate{Queue: 5, Host: "/", Name: "q", Config: config, OwnerNode: 1, OwnerRun: 77, OwnerSession: 9},
		&command.QueueCreate{Queue: 6, Host: "/", Name: "r", Config: config},
		&command.QueuePublish{Targets: []command.QueueTarget{{Queue: 5}, {Queue: 6}}, Size: 3, ExpirationMs: -1, PayloadCRC: 0xABCD, PayloadLength: 3, Payload: []byte("abc")},
		&command.QueuePublish{Targets: []command.QueueTarget{{Queue: 5}}, Size: 3, ExpirationMs: 10, PayloadCRC: 0xABCE, PayloadLength: 3, Payload: []byte("def")},
		&command.QueueAttach{Queue: 5, Consumer: 100, Node: 1, Run: 77, Session: 9, Channel: 2, Tag: "tag", Priority: -1, Messages: 1},
		&command.QueueGet{Queue: 6, Consumer: 101, Node: 1, Run: 77, Session: 9, Channel: 2},
		&command.QueueDrop{Queue: 6},
		&command.QueueLook{Queue: 5},
	} {
		if _, _, err := m.Apply(Context{Index: uint64(10 + i), Position: 4, Clock: 1000}, c.AppendTo(nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	if holds {
		openTransaction(t, m)
	}
	if _, err := m.Flush(rows, rows); err != nil {
		t.Fatal(err)
	}
	rows.Commit()
	again, err := Load(rows)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.Describe(), m.Describe(); got != want {
		t.Errorf("loaded\n%s\nwritten by\n%s", got, want)
	}
	for _, id := range []broker.QueueID{5, 6} {
		if here, dropped := again.Queues(); len(here) != 1 || len(dropped) != 1 {
			t.Errorf("queue %d: here %v, dropped %v", id, here, dropped)
		}
	}
	return rows.Describe()
}

// What version 1 wrote is read for ever, and written the same.
func TestGoldenRows(t *testing.T) {
	for _, x := range []struct {
		file   string
		foldAt int
		holds  bool
	}{{"testdata/golden/deltas_1.txt", 1000, false}, {"testdata/golden/folded_1.txt", 1, false},
		{"testdata/golden/transaction_deltas_1.txt", 1000, true}, {"testdata/golden/transaction_folded_1.txt", 1, true}} {
		written := goldenRows(t, x.foldAt, x.holds)
		golden, err := os.ReadFile(x.file)
		if os.IsNotExist(err) && *addGolden {
			golden, err = []byte(written), os.WriteFile(x.file, []byte(written), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if written != string(golden) {
			t.Errorf("%s: written\n%sgolden\n%s", x.file, written, golden)
		}
	}
}
