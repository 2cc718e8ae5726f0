package queueing

import (
	"errors"
	"testing"

	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// fuzzRows has rows of every kind: of a queue with deliveries, dead letters and a transaction, of one that ends when it is not used, and of
// one that was dropped, folded or not.
func fuzzRows(t interface{ Fatal(...any) }, foldAt int) *keyspace.Mem {
	m, rows := New(), &keyspace.Mem{}
	m.foldAt = foldAt
	apply := func(i uint64, c command.Message) {
		if _, _, err := m.Apply(Context{Index: i, Position: 4, Clock: 1000}, c.AppendTo(nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	plain := command.QueueConfig{TTLMs: -1, LengthMax: -1, BytesMax: -1, DeadLetters: true}
	expires := plain
	expires.ExpiresMs = 100
	publish := &command.QueuePublish{Targets: []command.QueueTarget{{Queue: 5}, {Queue: 6}, {Queue: 7}}, Size: 3, ExpirationMs: -1, PayloadLength: 3, Payload: []byte("abc")}
	for i, c := range []command.Message{
		&command.QueueLease{Node: 1, Run: 77, HoldMs: 1000},
		&command.QueueCreate{Queue: 5, Host: "/", Name: "q", Config: plain},
		&command.QueueCreate{Queue: 6, Host: "/", Name: "r", Config: expires},
		&command.QueueCreate{Queue: 7, Host: "/", Name: "s", Config: plain},
		publish, publish, publish, publish,
		&command.QueueAttach{Queue: 5, Consumer: 100, Node: 1, Run: 77, Session: 9, Channel: 2, Tag: "tag", Messages: 3},
		&command.QueueSettle{Node: 1, Run: 77, Session: 9, Items: []command.QueueSettlement{{Queue: 5, Number: 2, Outcome: 3}}},
		&command.QueueDrop{Queue: 7},
	} {
		apply(uint64(10+i), c)
	}
	openTransaction(t, m)
	if _, err := m.Flush(rows, rows); err != nil {
		t.Fatal(err)
	}
	rows.Commit()
	return rows
}

// FuzzLoad: whatever the bytes of a row, it is refused as such, or the machine describes itself. (The store finds damaged bytes by their
// checksums; these would be those of a bug.)
func FuzzLoad(f *testing.F) {
	type row struct{ key, value []byte }
	var sets [8][]row
	for i, rows := range []*keyspace.Mem{fuzzRows(f, 1000), fuzzRows(f, 1), orderedRows(f, 1000), orderedRows(f, 1), onceRows(f, 1000), onceRows(f, 1), rankedRows(f, 1000), rankedRows(f, 1)} {
		_ = rows.Scan(nil, []byte{0xFF}, func(k, v []byte) bool {
			f.Add(uint8(i), uint8(len(sets[i])), append([]byte(nil), v...))
			sets[i] = append(sets[i], row{append([]byte(nil), k...), append([]byte(nil), v...)})
			return true
		})
	}
	f.Fuzz(func(t *testing.T, set, which uint8, value []byte) {
		rows := &keyspace.Mem{}
		all := sets[int(set)%len(sets)]
		for i, r := range all {
			if i == int(which)%len(all) {
				r.value = value
			}
			rows.Set(r.key, r.value)
		}
		rows.Commit()
		m, err := Load(rows)
		switch {
		case err == nil:
			_ = m.Describe()
		case !errors.Is(err, ErrRow):
			t.Fatalf("not said to be a bad row: %v", err)
		}
	})
}
