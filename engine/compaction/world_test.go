package compaction

import (
	"bytes"
	"fmt"
	"hash/crc32"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/engine/partition"
	"github.com/tallymq/tallymq/txn"
)

// world is one log, its rows and its payloads, and everything that was ever appended.
type world struct {
	t         fataler
	id        broker.Partition
	rows      *keyspace.Mem
	machine   *partition.Machine
	entries   map[uint64][]byte // commands, by index: where payloads lie
	index     uint64
	version   uint64
	producers map[txn.ProducerID]*producer
	times     Times
	appended  []record                // by offset
	horizons  map[broker.Offset]int64 // of rows, by their last offset
}

// producer writes in transactions.
type producer struct {
	number   txn.Number
	sequence int32
	open     bool
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// record is what a reader sees.
type record struct {
	offset     broker.Offset
	timestamp  int64
	key, value []byte
	clock      uint64 // when it was appended
	fate       fate
	producer   txn.ProducerID
}

// fate is what became of a record's transaction.
type fate int

const (
	plain fate = iota // of none
	undecided
	committed
	aborted
	marker // it is no record, but the end of one
)

func (f fate) counts() bool { return f == plain || f == committed }

func (r record) String() string {
	return fmt.Sprintf("%d@%d %q=%q", r.offset, r.timestamp, r.key, r.value)
}

func (r record) tombstone() bool { return r.fate != marker && r.key != nil && r.value == nil }

func newWorld(t fataler, c command.CompactionConfig) *world {
	w := &world{t: t, id: broker.Partition{Topic: broker.TopicID{'a'}}, rows: &keyspace.Mem{}, machine: partition.New(partition.Options{}),
		entries: map[uint64][]byte{}, producers: map[txn.ProducerID]*producer{}, horizons: map[broker.Offset]int64{}, times: Times{Clock: 1000, Wall: 1_000_000}}
	w.apply(&command.PartitionCreate{Topic: w.id.Topic, Config: command.PartitionConfig{BatchBytesMax: 1 << 20}, Compaction: c})
	return w
}

// apply applies one command, as an entry of its own.
func (w *world) apply(c command.Message) command.Message {
	w.t.Helper()
	w.index++
	body := c.AppendTo(nil)
	w.entries[w.index] = append(make([]byte, 8), body...)
	out, err := w.machine.Apply(partition.Context{Index: w.index, Position: 8, Clock: w.times.Clock, Wall: w.times.Wall}, body, w.rows, nil)
	if err != nil {
		w.t.Fatalf("%v: %v", c, err)
	}
	w.machine.Flush(w.rows)
	w.rows.Commit()
	r, err := command.Decode(out)
	if err != nil {
		w.t.Fatalf("%v: result: %v", c, err)
	}
	return r
}

func (w *world) head() partition.Head {
	h, _ := w.machine.Head(w.id)
	return h
}

// payload reads from the entries.
func (w *world) payload(dst []byte, n partition.Name) ([]byte, error) {
	e, ok := w.entries[n.Index]
	if !ok {
		return dst, fmt.Errorf("entry %d was freed", n.Index)
	}
	b := e[n.Position : n.Position+n.Length]
	if sum := crc32.Checksum(b, castagnoli); sum != n.CRC {
		return dst, fmt.Errorf("%v: crc %08x", n, sum)
	}
	return append(dst, b...), nil
}

// free forgets the entries in which nothing is live, as the journal does.
func (w *world) free() {
	live := map[uint64]bool{}
	if err := partition.LiveNames(w.rows, 0, 1<<64-1, func(n partition.Name) bool {
		live[n.Index] = true
		return true
	}); err != nil {
		w.t.Fatalf("live: %v", err)
	}
	for i := range w.entries {
		if !live[i] {
			delete(w.entries, i)
		}
	}
}

// append adds a batch of records.
func (w *world) append(codec batch.Codec, stamp int64, producer txn.ProducerID, rs ...record) {
	w.t.Helper()
	b := batch.NewBuilder()
	b.Codec = codec
	c := &command.Append{Topic: w.id.Topic, ProducerID: -1, BaseSequence: -1, LogAppendTime: stamp}
	if producer > 0 {
		x := w.producer(producer)
		b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Transactional = int64(producer), 0, x.sequence, true
		c.ProducerID, c.BaseSequence, c.Number, c.Attributes = broker.ProducerID(producer), x.sequence, uint64(x.number), 1<<4
		x.sequence += int32(len(rs))
	}
	h := w.head()
	for i := range rs {
		r := &rs[i]
		r.offset, r.clock = h.Next+broker.Offset(i), w.times.Clock
		b.Append(batch.Record{Timestamp: r.timestamp, Key: r.key, Value: r.value})
		if stamp >= 0 {
			r.timestamp = stamp
		}
		if r.producer = producer; producer > 0 {
			r.fate = undecided
		}
		w.appended = append(w.appended, *r)
	}
	payload := b.Bytes()
	info, err := batch.Validate(payload, batch.Limits{Allow: batch.AllowTransactional})
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	c.Records, c.MaxTimestamp, c.MaxTimestampDelta, c.Fingerprint = info.NumRecords, info.MaxTimestamp, info.OffsetOfMaxTimestampDelta, info.Fingerprint
	c.Payload, c.PayloadLength, c.PayloadCRC = payload, uint32(len(payload)), crc32.Checksum(payload, castagnoli)
	got := w.apply(c).(*command.AppendResult)
	if got.Code != broker.CodeNone || got.BaseOffset != rs[0].offset {
		w.t.Fatalf("append: %v", got)
	}
}

// producer is one that writes in transactions; it begins one if it has none.
func (w *world) producer(id txn.ProducerID) *producer {
	x := w.producers[id]
	if x == nil {
		x = &producer{}
		w.producers[id] = x
	}
	if !x.open {
		x.open = true
		x.number++
		w.index++
		ctx := partition.Context{Index: w.index, Clock: w.times.Clock, Wall: w.times.Wall}
		if _, r := w.machine.Grant(ctx, w.id, txn.Grant{ProducerID: id, Number: x.number}, w.rows); r != nil {
			w.t.Fatalf("grant: %v", r)
		}
	}
	return x
}

// decide ends a transaction.
func (w *world) decide(id txn.ProducerID, outcome txn.Outcome) {
	x := w.producers[id]
	if x == nil || !x.open {
		return
	}
	x.open = false
	w.index++
	before := w.head().Next
	ctx := partition.Context{Index: w.index, Clock: w.times.Clock, Wall: w.times.Wall}
	if _, r := w.machine.Close(ctx, w.id, txn.Decision{ProducerID: id, Number: x.number, Outcome: outcome}, w.rows); r != nil {
		w.t.Fatalf("close: %v", r)
	}
	w.machine.Flush(w.rows)
	w.rows.Commit()
	for i := range w.appended {
		if r := &w.appended[i]; r.producer == id && r.fate == undecided {
			if r.fate = aborted; outcome == txn.Commit {
				r.fate = committed
			}
		}
	}
	if w.head().Next > before {
		w.appended = append(w.appended, record{offset: before, timestamp: w.times.Wall, fate: marker, producer: id, key: []byte(fmt.Sprint(outcome))})
	}
}

// log is what a reader of the whole log sees; rows must cover every offset.
func (w *world) log() []record {
	w.t.Helper()
	h := w.head()
	var log []record
	next, buf := h.Start, []byte(nil)
	err := partition.Batches(w.rows, &h, h.Start, func(b partition.Batch) bool {
		if b.Base > next {
			w.t.Fatalf("no row covers offset %d: next is %v", next, b)
		}
		next = b.Last + 1
		if b.Hole() {
			return true
		}
		if b.IsMarker() {
			log = append(log, w.appended[b.Base])
			return true
		}
		var err error
		if buf, err = w.payload(nil, b.Name); err != nil {
			w.t.Fatalf("%v: %v", b, err)
		}
		batch.PatchServed(buf, int64(b.Base), int32(b.Epoch))
		if b.LogAppendTime >= 0 {
			batch.PatchLogAppendTime(buf, b.LogAppendTime)
		}
		newest := int64(-1)
		for r, err := range batch.Records(buf) {
			if err != nil {
				w.t.Fatalf("%v: %v", b, err)
			}
			newest = max(newest, r.Timestamp)
			if broker.Offset(r.Offset) >= h.Start {
				log = append(log, record{offset: broker.Offset(r.Offset), timestamp: r.Timestamp, key: r.Key, value: r.Value})
			}
		}
		if newest != b.MaxTimestamp || w.appended[b.MaxAt].timestamp != newest {
			w.t.Fatalf("%v: greatest timestamp %d", b, newest)
		}
		return true
	})
	if err != nil || next != h.Next {
		w.t.Fatalf("rows end at %d of %d: %v", next, h.Next, err)
	}
	return log
}

// pass runs a pass, or the first commands of it, and says whether it was whole.
func (w *world) pass(l Limits, commands int) bool {
	w.t.Helper()
	p, err := Begin(w.rows, w.head(), w.payload, w.times, l)
	if err != nil {
		w.t.Fatalf("begin: %v", err)
	}
	for range commands {
		c, payload, err := p.Next()
		if err != nil {
			w.t.Fatalf("%v: %v", p, err)
		}
		if c == nil {
			return true
		}
		c.Payload = bytes.Clone(payload)
		if r := w.apply(c).(*command.PartitionResult); r.Code != broker.CodeNone {
			w.t.Fatalf("%v: %v", c, r)
		}
	}
	return false
}
