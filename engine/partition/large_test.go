package partition

import (
	"math/rand/v2"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// countingReader counts the rows that queries look at.
type countingReader struct {
	*keyspace.Mem
	rows int
}

func (r *countingReader) Scan(lo, hi []byte, yield func(k, v []byte) bool) error {
	return r.Mem.Scan(lo, hi, func(k, v []byte) bool {
		r.rows++
		return yield(k, v)
	})
}

// A log of a top-level run and a bit: look-ups by time and size are exact whatever the order of timestamps and
// wherever the log starts, and read a bounded number of rows.
func TestLookUpsInALargeLog(t *testing.T) {
	const batches = runFanOut*runFanOut*runFanOut + 3*runFanOut*runFanOut + 7
	random := rand.New(rand.NewPCG(1, 2))
	rows := &keyspace.Mem{}
	m := New(Options{})
	id := parsePartition("a/0")
	config := command.PartitionConfig{BatchBytesMax: 1000, RetentionMs: -1, RetentionBytes: -1, DeleteOld: true}
	apply := func(index int, c command.Message) {
		if _, err := m.Apply(Context{Index: uint64(index), Wall: 1}, c.AppendTo(nil), rows, nil); err != nil {
			t.Fatal(err)
		}
	}
	apply(1, &command.PartitionCreate{Topic: id.Topic, Config: config})
	times := make([]int64, batches)
	for i := range times {
		times[i] = int64(i)*10 + random.Int64N(500) // rising, but up and down
		if i == batches/3 {
			times[i] = batches * 20 // a clock that was wrong once
		}
		if i == 2*batches/3 { // and another, by a little more than the last one's
			times[i] = batches * 15
		}
		if i == 2*batches/3-10 || i == batches-1 {
			times[i] = batches*15 - 1
		}
		c := newAppend(id, 2, 10, func(c *command.Append) { c.MaxTimestamp = times[i] })
		apply(2+i/1000, c)
		if i%1000 == 999 {
			m.Flush(rows)
			rows.Commit()
		}
	}
	m.Flush(rows)
	rows.Commit()
	r := &countingReader{Mem: rows}
	for _, start := range []int{0, 12345, batches / 3, batches/3 + 1, batches - 100} {
		h, _ := m.Head(id)
		if broker.Offset(2*start) > h.Start {
			c, ok, err := TrimAt(rows, &h, broker.Offset(2*start))
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			apply(1000+start, &c)
			apply(1000+start, &command.Sweep{Budget: 10})
			m.Flush(rows)
			rows.Commit()
			h, _ = m.Head(id)
		}
		checkLookUps(t, random, r, h, times)
	}
}

func checkLookUps(t *testing.T, random *rand.Rand, r *countingReader, h Head, times []int64) {
	t.Helper()
	const rowsMax = 6 * (runLevels + 2) * runFanOut // a few descents
	start := int(h.Start / 2)
	for range 50 {
		from := start + random.IntN(len(times)-start)
		at := times[random.IntN(len(times))] + random.Int64N(100) - 50
		want := from
		for want < len(times) && times[want] < at {
			want++
		}
		r.rows = 0
		b, ok, err := ByTimestamp(r, &h, broker.Offset(2*from), at)
		if err != nil || ok != (want < len(times)) || ok && int(b.Base) != 2*want {
			t.Fatalf("first at or after %d from batch %d: %v %v %v, want batch %d", at, from, b, ok, err, want)
		}
		if r.rows > rowsMax {
			t.Errorf("first at or after %d from batch %d: %d rows read", at, from, r.rows)
		}
		h.Config.RetentionBytes = random.Int64N(int64(h.Bytes()) + 1)
		r.rows = 0
		c, due, err := Retain(r, &h, 0)
		keep := (h.Config.RetentionBytes + 9) / 10 // batches of 10 bytes
		if free := int64(h.Bytes())/10 - keep; err != nil || due != (free > 0) || due && int64(c.LogStart-h.Start)/2 != free {
			t.Fatalf("keep %d of %d bytes: %v %v %v, want %d batches freed", h.Config.RetentionBytes, h.Bytes(), c.LogStart, due, err, free)
		}
		if r.rows > rowsMax {
			t.Errorf("keep %d bytes: %d rows read", h.Config.RetentionBytes, r.rows)
		}
	}
	best := start
	for i := start; i < len(times); i++ {
		if times[i] > times[best] {
			best = i
		}
	}
	r.rows = 0
	b, ok, err := MaxTimestampIn(r, &h)
	if !ok || err != nil || int(b.Base) != 2*best {
		t.Fatalf("greatest timestamp: %v %v %v, want batch %d", b, ok, err, best)
	}
	if r.rows > rowsMax {
		t.Errorf("greatest timestamp: %d rows read", r.rows)
	}
}
