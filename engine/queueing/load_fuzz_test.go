package queueing

import (
	"errors"
	"testing"

	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// fuzzRows has rows of every kind: of a queue with deliveries, dead letters and a transaction, of one that ends when it is not used, and of
// one that was dropped, folded or not.
func fuzzRows(t interface{ Fatal(...any) }, foldAt int) (keys, values [][]byte) {
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
	_ = rows.Scan(nil, []byte{0xFF}, func(k, v []byte) bool {
		keys, values = append(keys, append([]byte(nil), k...)), append(values, append([]byte(nil), v...))
		return true
	})
	return keys, values
}

// FuzzLoad: whatever the bytes of a row, it is refused as such, or the machine describes itself. (The store finds damaged bytes by their
// checksums; these would be those of a bug.)
func FuzzLoad(f *testing.F) {
	var keys, values [][]byte
	for _, at := range []int{1000, 1} {
		k, v := fuzzRows(f, at)
		for i := range v {
			f.Add(len(keys) > 0, uint8(i), v[i])
		}
		if len(keys) == 0 {
			keys, values = k, v
		}
	}
	foldedKeys, foldedValues := fuzzRows(f, 1)
	f.Fuzz(func(t *testing.T, folded bool, which uint8, value []byte) {
		ks, vs := keys, values
		if folded {
			ks, vs = foldedKeys, foldedValues
		}
		rows := &keyspace.Mem{}
		for i := range ks {
			v := vs[i]
			if i == int(which)%len(ks) {
				v = value
			}
			rows.Set(ks[i], v)
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
