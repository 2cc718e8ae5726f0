package keyspace

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/tallymq/tallymq/engine/broker"
	"pgregory.net/rapid"
)

var topicA = broker.TopicID{0xAA, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xFF}

// Every encoder's bytes, as they are on disks: this file never changes but at its end.
func TestGolden(t *testing.T) {
	rows := []struct {
		name string
		key  []byte
	}{
		{"machine partition", MachineKey(MachinePartition)},
		{"partition 1", AppendPartitionKey(nil, 1)},
		{"partition max", AppendPartitionKey(nil, math.MaxUint32)},
		{"epoch 1/0", AppendEpochKey(nil, 1, 0)},
		{"epoch 1/max", AppendEpochKey(nil, 1, math.MaxInt32)},
		{"batch 1/0", AppendBatchKey(nil, 1, 0)},
		{"batch 1/max", AppendBatchKey(nil, 1, math.MaxInt64)},
		{"time 1/2/300", AppendTimeKey(nil, 1, 2, 300)},
		{"window 1/1000", AppendWindowKey(nil, 1, 1000)},
		{"reverse 77/12", AppendReverseKey(nil, 77, 12)},
		{"doomed 5", AppendDoomedKey(nil, 5)},
		{"group g", AppendGroupKey(nil, "g")},
		{"group empty", AppendGroupKey(nil, "")},
		{"group a00b", AppendGroupKey(nil, "a\x00b")},
		{"offset g/topic/t/3", AppendOffsetKey(nil, "g", topicA, "t", 3)},
		{"group slot 1023", AppendGroupSlotKey(nil, 1023)},
		{"cluster", ClusterKey()},
		{"node 3", AppendNodeKey(nil, 3)},
		{"topic", AppendTopicKey(nil, topicA)},
		{"name orders", AppendNameKey(nil, "orders")},
		{"shard 4", AppendShardKey(nil, 4)},
		{"slot 1023", AppendSlotKey(nil, 1023)},
		{"change 9", AppendChangeKey(nil, 9)},
		{"hold 1/1000", AppendHoldKey(nil, 1, 1000)},
		{"aborted 1/300", AppendAbortedKey(nil, 1, 300)},
		{"group hold g/1000", AppendGroupHoldKey(nil, "g", 1000)},
		{"transaction pay", AppendTransactionKey(nil, "pay")},
		{"exchange //x", AppendExchangeKey(nil, "/", "x")},
		{"queue name //q", AppendQueueNameKey(nil, "/", "q")},
		{"binding //x/q", AppendBindingKey(nil, BindingKey{Host: "/", Source: "x", Exchange: true, Destination: "q", Key: "k", Arguments: "a"})},
		{"quota u/default", AppendQuotaKey(nil, QuotaKey{UserKind: 2, User: "u", ClientKind: 1})},
		{"queue holder 1000", AppendQueueHolderKey(nil, 1000)},
	}
	datadriven.RunTest(t, "testdata/golden.txt", func(t *testing.T, d *datadriven.TestData) string {
		var s strings.Builder
		for _, r := range rows {
			fmt.Fprintf(&s, "%-20s %x\n", r.name, r.key)
		}
		return s.String()
	})
}

// draw gives values that are often equal or near each other, where orders go wrong.
func drawString(t *rapid.T, label string) string {
	return rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 'a', 'b', 0xFF}), 0, 4, -1).Draw(t, label)
}

func drawInt64(t *rapid.T, label string) int64 {
	return rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2, 2), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 255, 256})).Draw(t, label)
}

// The order of keys is the order of what they encode, and decoding gives that back.
func TestOrderAndRoundTrip(t *testing.T) {
	type tuple struct {
		slot  Slot
		level uint8
		n     int64
		group string
		topic broker.TopicID
		name  string
		part  int32
	}
	draw := func(t *rapid.T) tuple {
		return tuple{Slot(rapid.Uint32Range(0, 2).Draw(t, "slot")), rapid.Uint8Range(1, 3).Draw(t, "level"), drawInt64(t, "n"),
			drawString(t, "group"), broker.TopicID{rapid.Byte().Draw(t, "topic")}, drawString(t, "name"), int32(drawInt64(t, "part"))}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t), draw(t)
		for _, k := range []struct {
			name   string
			encode func(tuple) []byte
			order  int
			decode func([]byte) (tuple, error)
			want   tuple
		}{
			{"batch", func(v tuple) []byte { return AppendBatchKey(nil, v.slot, broker.Offset(v.n)) },
				cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(a.n, b.n)),
				func(k []byte) (tuple, error) { s, n, err := DecodeBatchKey(k); return tuple{slot: s, n: int64(n)}, err },
				tuple{slot: a.slot, n: a.n}},
			{"time", func(v tuple) []byte { return AppendTimeKey(nil, v.slot, v.level, broker.Offset(v.n)) },
				cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(a.level, b.level), cmp.Compare(a.n, b.n)),
				func(k []byte) (tuple, error) {
					s, l, n, err := DecodeTimeKey(k)
					return tuple{slot: s, level: l, n: int64(n)}, err
				}, tuple{slot: a.slot, level: a.level, n: a.n}},
			{"window", func(v tuple) []byte { return AppendWindowKey(nil, v.slot, broker.ProducerID(v.n)) },
				cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(a.n, b.n)),
				func(k []byte) (tuple, error) {
					s, n, err := DecodeWindowKey(k)
					return tuple{slot: s, n: int64(n)}, err
				}, tuple{slot: a.slot, n: a.n}},
			{"hold", func(v tuple) []byte { return AppendHoldKey(nil, v.slot, broker.ProducerID(v.n)) },
				cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(a.n, b.n)),
				func(k []byte) (tuple, error) { s, n, err := DecodeHoldKey(k); return tuple{slot: s, n: int64(n)}, err },
				tuple{slot: a.slot, n: a.n}},
			{"aborted", func(v tuple) []byte { return AppendAbortedKey(nil, v.slot, broker.Offset(v.n)) },
				cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(a.n, b.n)),
				func(k []byte) (tuple, error) {
					s, n, err := DecodeAbortedKey(k)
					return tuple{slot: s, n: int64(n)}, err
				},
				tuple{slot: a.slot, n: a.n}},
			{"group hold", func(v tuple) []byte { return AppendGroupHoldKey(nil, v.group, broker.ProducerID(v.n)) },
				cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.n, b.n)),
				func(k []byte) (tuple, error) {
					g, n, err := DecodeGroupHoldKey(k)
					return tuple{group: g, n: int64(n)}, err
				},
				tuple{group: a.group, n: a.n}},
			{"transaction", func(v tuple) []byte { return AppendTransactionKey(nil, v.group) }, cmp.Compare(a.group, b.group),
				func(k []byte) (tuple, error) { g, err := DecodeTransactionKey(k); return tuple{group: g}, err }, tuple{group: a.group}},
			{"epoch", func(v tuple) []byte { return AppendEpochKey(nil, v.slot, broker.LeaderEpoch(v.part)) },
				cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(a.part, b.part)),
				func(k []byte) (tuple, error) {
					s, e, err := DecodeEpochKey(k)
					return tuple{slot: s, part: int32(e)}, err
				}, tuple{slot: a.slot, part: a.part}},
			{"reverse", func(v tuple) []byte { return AppendReverseKey(nil, uint64(v.n), uint32(v.part)) },
				cmp.Or(cmp.Compare(uint64(a.n), uint64(b.n)), cmp.Compare(uint32(a.part), uint32(b.part))),
				func(k []byte) (tuple, error) {
					i, p, err := DecodeReverseKey(k)
					return tuple{n: int64(i), part: int32(p)}, err
				}, tuple{n: a.n, part: a.part}},
			{"group", func(v tuple) []byte { return AppendGroupKey(nil, v.group) }, cmp.Compare(a.group, b.group),
				func(k []byte) (tuple, error) { g, err := DecodeGroupKey(k); return tuple{group: g}, err }, tuple{group: a.group}},
			{"offset", func(v tuple) []byte { return AppendOffsetKey(nil, v.group, v.topic, v.name, v.part) },
				cmp.Or(cmp.Compare(a.group, b.group), bytes.Compare(a.topic[:], b.topic[:]), cmp.Compare(a.name, b.name), cmp.Compare(a.part, b.part)),
				func(k []byte) (tuple, error) {
					g, id, n, p, err := DecodeOffsetKey(k)
					return tuple{group: g, topic: id, name: n, part: p}, err
				}, tuple{group: a.group, topic: a.topic, name: a.name, part: a.part}},
		} {
			x, y := k.encode(a), k.encode(b)
			if got := bytes.Compare(x, y); got != k.order {
				t.Fatalf("%s: %x and %x compare %d, what they encode %d", k.name, x, y, got, k.order)
			}
			if got, err := k.decode(x); err != nil || got != k.want {
				t.Fatalf("%s: %x decodes as %+v, %v, want %+v", k.name, x, got, err, k.want)
			}
			if _, err := k.decode(x[:len(x)-1]); err == nil {
				t.Fatalf("%s: cut short, it decodes", k.name)
			}
			if _, err := k.decode(append(x, 0)); err == nil {
				t.Fatalf("%s: with a byte too many, it decodes", k.name)
			}
		}
		lo, hi := GroupOffsetRange(a.group)
		key := AppendOffsetKey(nil, b.group, b.topic, b.name, b.part)
		if in := bytes.Compare(lo, key) <= 0 && bytes.Compare(key, hi) < 0; in != (a.group == b.group) {
			t.Fatalf("offset of group %q in the range of %q: %v", b.group, a.group, in)
		}
	})
}

func TestNext(t *testing.T) {
	for _, c := range []struct{ prefix, next string }{{"a", "b"}, {"a\xff", "b"}, {"a\xff\x00", "a\xff\x01"}} {
		if got := Next([]byte(c.prefix)); string(got) != c.next {
			t.Errorf("next of %x is %x, want %x", c.prefix, got, c.next)
		}
	}
	if Next([]byte{0xFF, 0xFF}) != nil {
		t.Error("nothing is above ffff…")
	}
}

// Mem does what a map does, and shows nothing before Commit.
func TestMemIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Mem
		model, staged := map[string]string{}, map[string]string{}
		key := rapid.StringOfN(rapid.SampledFrom([]rune("abc")), 1, 2, -1)
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				k, v := key.Draw(t, "k"), rapid.String().Draw(t, "v")
				m.Set([]byte(k), []byte(v))
				staged[k] = v
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "k")
				m.Delete([]byte(k))
				delete(staged, k)
			},
			"delete range": func(t *rapid.T) {
				lo, hi := key.Draw(t, "lo"), key.Draw(t, "hi")
				m.DeleteRange([]byte(lo), []byte(hi))
				for k := range staged {
					if lo <= k && k < hi {
						delete(staged, k)
					}
				}
			},
			"commit": func(t *rapid.T) {
				m.Commit()
				model = map[string]string{}
				for k, v := range staged {
					model[k] = v
				}
			},
			"": func(t *rapid.T) {
				if m.Len() != len(model) {
					t.Fatalf("%d rows, want %d", m.Len(), len(model))
				}
				last := ""
				_ = m.Scan([]byte("a"), []byte("d"), func(k, v []byte) bool {
					if string(k) <= last || model[string(k)] != string(v) {
						t.Fatalf("%q = %q after %q", k, v, last)
					}
					last = string(k)
					return true
				})
				for k, v := range model {
					if got, ok, _ := m.Get([]byte(k)); !ok || string(got) != v {
						t.Fatalf("%q = %q, %v, want %q", k, got, ok, v)
					}
				}
			},
		})
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(AppendOffsetKey(nil, "a\x00b", topicA, "t", 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, id, n, p, err := DecodeOffsetKey(b)
		if err == nil && !bytes.Equal(AppendOffsetKey(nil, g, id, n, p), b) {
			t.Errorf("%x decodes as %q %v %q %d, which is written otherwise", b, g, id, n, p)
		}
	})
}
