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

// orderedRows has the rows of a queue that keeps the order of keys: a delivery, one that is parked, messages that wait, and a transaction
// that adds one.
func orderedRows(t interface{ Fatal(...any) }, foldAt int) *keyspace.Mem {
	m, rows := New(), &keyspace.Mem{}
	m.foldAt = foldAt
	publish := func(key string) *command.QueuePublish {
		return &command.QueuePublish{Targets: []command.QueueTarget{{Queue: 5, Key: key}}, Size: 3, ExpirationMs: -1, PayloadCRC: 0xABCD, PayloadLength: 3, Payload: []byte("abc")}
	}
	settle := func(number uint64) *command.QueueSettle {
		return &command.QueueSettle{Node: 1, Run: 77, Session: 9, Items: []command.QueueSettlement{{Queue: 5, Number: number, Outcome: uint8(broker.RejectAgain)}}}
	}
	for i, c := range []command.Message{
		&command.QueueLease{Node: 1, Run: 77, HoldMs: 1000},
		&command.QueueCreate{Queue: 5, Host: "/", Name: "q", Config: command.QueueConfig{TTLMs: 5000, LengthMax: 10, BytesMax: -1, DeliveryLimit: 1, Ordered: true, Poison: poisonPark}},
		publish("alice"), publish("bob"), publish("alice"), publish("alice"), publish("carol"),
		&command.QueueAttach{Queue: 5, Consumer: 100, Node: 1, Run: 77, Session: 9, Channel: 2, Tag: "tag", Messages: 2},
		settle(1), settle(3), publish("bob"),
	} {
		if _, _, err := m.Apply(Context{Index: uint64(10 + i), Position: 4, Clock: 1000}, c.AppendTo(nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	if r := m.Grant(Context{Index: 30, Position: 4, Clock: 1000}, txn.Grant{ProducerID: 3, Epoch: 1, Number: 1, Coordinator: 9}); r != nil {
		t.Fatal(r)
	}
	c := &command.QueuePrepare{ProducerID: 3, Epoch: 1, Number: 1, Node: 1, Run: 77, Session: 9, PayloadLength: 3, Payload: []byte("ghi"),
		Messages: []command.QueueMessage{{Targets: []command.QueueTarget{{Queue: 5, Key: "dave"}}, Size: 3, ExpirationMs: 7, CRC: 0xABCF, Length: 3}}}
	if _, _, err := m.Apply(Context{Index: 31, Position: 4, Clock: 1000}, c.AppendTo(nil), nil); err != nil {
		t.Fatal(err)
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
		t.Fatal("loaded\n", got, "\nwritten by\n", want)
	}
	return rows
}

// onceRows has the rows of a queue with a de-duplication window: ids that came, one of a transaction that was aborted, and one of a
// transaction that is not decided.
func onceRows(t interface{ Fatal(...any) }, foldAt int) *keyspace.Mem {
	m, rows := New(), &keyspace.Mem{}
	m.foldAt = foldAt
	index := uint64(10)
	apply := func(c command.Message) {
		index++
		if _, _, err := m.Apply(Context{Index: index, Position: 4, Clock: 1000 + index}, c.AppendTo(nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	apply(&command.QueueCreate{Queue: 5, Host: "/", Name: "q", Config: command.QueueConfig{TTLMs: -1, LengthMax: -1, BytesMax: -1, DeduplicationMs: 5000, DeduplicationCount: 100}})
	for _, id := range []string{"a", "b", "a"} {
		apply(&command.QueuePublish{Targets: []command.QueueTarget{{Queue: 5}}, Size: 3, ExpirationMs: -1, MessageID: id, Fingerprint: 7, PayloadCRC: 0xABCD, PayloadLength: 3, Payload: []byte("abc")})
	}
	for number, id := range []string{"never", "open"} {
		index++
		g := txn.Grant{ProducerID: 3, Epoch: 1, Number: txn.Number(number + 1), Coordinator: 9}
		if r := m.Grant(Context{Index: index, Position: 4, Clock: 1000 + index}, g); r != nil {
			t.Fatal(r)
		}
		apply(&command.QueuePrepare{ProducerID: 3, Epoch: 1, Number: uint64(number + 1), PayloadLength: 3, Payload: []byte("ghi"),
			Messages: []command.QueueMessage{{Targets: []command.QueueTarget{{Queue: 5}}, Size: 3, ExpirationMs: -1, MessageID: id, Fingerprint: 8, CRC: 0xABCF, Length: 3}}})
		if id == "never" {
			index++
			if r := m.Close(Context{Index: index, Position: 4, Clock: 1000 + index}, txn.Decision{ProducerID: 3, Epoch: 1, Number: 1}); r != nil {
				t.Fatal(r)
			}
		}
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
		t.Fatal("loaded\n", got, "\nwritten by\n", want)
	}
	return rows
}

// rankedRows has the rows of a queue with priorities: a delivery, one that came back, and one that a transaction adds.
func rankedRows(t interface{ Fatal(...any) }, foldAt int) *keyspace.Mem {
	m, rows := New(), &keyspace.Mem{}
	m.foldAt = foldAt
	index := uint64(10)
	apply := func(c command.Message) {
		index++
		if _, _, err := m.Apply(Context{Index: index, Position: 4, Clock: 1000}, c.AppendTo(nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	apply(&command.QueueLease{Node: 1, Run: 77, HoldMs: 1000})
	apply(&command.QueueCreate{Queue: 5, Host: "/", Name: "q", Config: command.QueueConfig{TTLMs: -1, LengthMax: -1, BytesMax: -1, Priorities: 5}})
	for _, p := range []uint8{0, 3, 9, 3} {
		apply(&command.QueuePublish{Targets: []command.QueueTarget{{Queue: 5}}, Size: 3, Priority: p, ExpirationMs: -1, PayloadCRC: 0xABCD, PayloadLength: 3, Payload: []byte("abc")})
	}
	apply(&command.QueueAttach{Queue: 5, Consumer: 100, Node: 1, Run: 77, Session: 9, Channel: 2, Tag: "tag", Messages: 2})
	apply(&command.QueueCredit{Queue: 5, Consumer: 100, Messages: 1})
	apply(&command.QueueSettle{Node: 1, Run: 77, Session: 9, Items: []command.QueueSettlement{{Queue: 5, Number: 2, Outcome: uint8(broker.Requeue)}}})
	if r := m.Grant(Context{Index: 40, Position: 4, Clock: 1000}, txn.Grant{ProducerID: 3, Epoch: 1, Number: 1, Coordinator: 9}); r != nil {
		t.Fatal(r)
	}
	index = 40
	apply(&command.QueuePrepare{ProducerID: 3, Epoch: 1, Number: 1, PayloadLength: 3, Payload: []byte("ghi"),
		Messages: []command.QueueMessage{{Targets: []command.QueueTarget{{Queue: 5}}, Size: 3, Priority: 4, ExpirationMs: -1, CRC: 0xABCF, Length: 3}}})
	if _, err := m.Flush(rows, rows); err != nil {
		t.Fatal(err)
	}
	rows.Commit()
	again, err := Load(rows)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.Describe(), m.Describe(); got != want {
		t.Fatal("loaded\n", got, "\nwritten by\n", want)
	}
	return rows
}

// What version 1 wrote is read for ever, and written the same.
func TestGoldenRows(t *testing.T) {
	for _, x := range []struct{ file, written string }{
		{"testdata/golden/deltas_1.txt", goldenRows(t, 1000, false)},
		{"testdata/golden/folded_1.txt", goldenRows(t, 1, false)},
		{"testdata/golden/transaction_deltas_1.txt", goldenRows(t, 1000, true)},
		{"testdata/golden/transaction_folded_1.txt", goldenRows(t, 1, true)},
		{"testdata/golden/ordered_deltas_1.txt", orderedRows(t, 1000).Describe()},
		{"testdata/golden/ordered_folded_1.txt", orderedRows(t, 1).Describe()},
		{"testdata/golden/ranked_deltas_1.txt", rankedRows(t, 1000).Describe()},
		{"testdata/golden/ranked_folded_1.txt", rankedRows(t, 1).Describe()},
		{"testdata/golden/once_deltas_1.txt", onceRows(t, 1000).Describe()},
		{"testdata/golden/once_folded_1.txt", onceRows(t, 1).Describe()},
	} {
		written := x.written
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
