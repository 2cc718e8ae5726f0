package partition

import (
	"hash/crc32"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"pgregory.net/rapid"
)

func drawCompaction(t *rapid.T) command.CompactionConfig {
	if rapid.IntRange(0, 3).Draw(t, "not compacted") == 0 {
		return command.CompactionConfig{}
	}
	return command.CompactionConfig{Compact: true, DeleteRetentionMs: 100, DirtyMillionths: 500_000}
}

// compact replaces some batches of a log by smaller ones or by nothing, and does to the model what that says.
func (m *model) compact(t *rapid.T, w *world, id broker.Partition, p *modelPartition) {
	h, rows := w.head(id), w.batches(w.head(id))
	c := command.PartitionCompact{Topic: id.Topic, Partition: id.Index, Rewrites: h.Rewrites, Cleaned: -1}
	if h.Rewrites != p.rewrites {
		t.Fatalf("%v: %d compactions, want %d", id, h.Rewrites, p.rewrites)
	}
	var after []modelBatch
	old := p.batches[:len(p.batches)-len(rows)]
	log := p.log()
	for i := 0; i < len(log); i++ {
		was, row := log[i], rows[i]
		if i == len(log)-1 {
			after = append(after, was)
			break
		}
		switch rapid.SampledFrom([]string{"stays", "stays", "marked", "rewritten", "emptied"}).Draw(t, "fate") {
		case "marked":
			if !was.hole {
				was.horizon, row.Horizon = 7777, 7777
				c.Items = append(c.Items, row.Item(false, rows[i]))
			}
		case "rewritten":
			if !was.hole && was.bytes > 1 {
				was = rewritten(t, w, was, &row, &c)
				c.Items = append(c.Items, row.Item(true, rows[i]))
			}
		case "emptied":
			n := 1
			for row.Base >= h.Start && i+n < len(log)-1 && rapid.Bool().Draw(t, "with the next one") {
				n++
			}
			was = modelBatch{base: was.base, last: log[i+n-1].last, epoch: log[i+n-1].epoch, hole: true, ts: -1, stamp: -1, age: -1, maxAt: was.base, horizon: -1}
			for _, b := range log[i : i+n] {
				was.appended += b.appended
			}
			hole := Hole(rows[i : i+n]...)
			c.Items = append(c.Items, hole.Item(false, rows[i:i+n]...))
			i += n - 1
		}
		after = append(after, was)
	}
	c.PayloadLength = uint32(len(c.Payload))
	want := broker.CodeNone
	switch {
	case !p.compact:
		want = broker.CodeUnavailable
	case rapid.IntRange(0, 4).Draw(t, "stale") == 0:
		c.Rewrites++
		want = broker.CodeUnavailable
	}
	got, _ := w.apply(&c)
	if code := got[0].(*command.PartitionResult).Code; code != want {
		t.Fatalf("%v: %v, want %v", &c, code, want)
	}
	if want == broker.CodeNone {
		p.rewrites++
		p.batches = append(old[:len(old):len(old)], after...)
	}
}

// rewritten makes a batch smaller and perhaps older; its payload goes to the command.
func rewritten(t *rapid.T, w *world, was modelBatch, row *Batch, c *command.PartitionCompact) modelBatch {
	was.bytes = rapid.Uint64Range(1, was.bytes).Draw(t, "length")
	was.index = w.index + 1
	if was.ts > 0 && was.stamp < 0 && rapid.Bool().Draw(t, "loses its newest") {
		was.ts -= rapid.Int64Range(0, 100).Draw(t, "older by")
		was.maxAt, was.age = was.last, was.ts
	}
	payload := make([]byte, was.bytes)
	for i := range payload {
		payload[i] = byte(len(c.Payload))
	}
	row.Name.Length, row.Name.CRC = uint32(was.bytes), crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli))
	row.MaxTimestamp, row.MaxAt, row.Age = was.ts, was.maxAt, was.age
	c.Payload = append(c.Payload, payload...)
	return was
}

// What was computed from a log that changed, or what no leader computes, is refused, and nothing is different afterwards.
func TestCompactionThatIsRefused(t *testing.T) {
	w := newWorld(t, Options{})
	id := parsePartition("a/0")
	w.apply(&command.PartitionCreate{Topic: id.Topic, Config: command.PartitionConfig{BatchBytesMax: 1000}, Compaction: command.CompactionConfig{Compact: true}})
	for range 5 {
		w.apply(newAppend(id, 2, 100, func(c *command.Append) {}))
	}
	w.apply(&command.PartitionTrim{Topic: id.Topic, LogStart: 3, BytesBefore: 100})
	rows := w.batches(w.head(id))
	hole := func(b ...Batch) command.CompactItem {
		x := Hole(b...)
		return x.Item(false, b...)
	}
	gone := rows[0]
	gone.Base, gone.Last, gone.MaxAt, gone.BytesEnd = 0, 1, 0, 100
	for _, c := range []struct {
		why    string
		code   broker.Code
		change func(*command.PartitionCompact)
	}{
		{"another number of compactions", broker.CodeUnavailable, func(c *command.PartitionCompact) { c.Rewrites = 1 }},
		{"below the log start", broker.CodeUnavailable, func(c *command.PartitionCompact) { c.Items = []command.CompactItem{hole(gone)} }},
		{"a merge over the log start", broker.CodeUnavailable, func(c *command.PartitionCompact) { c.Items = []command.CompactItem{hole(rows[0], rows[1])} }},
		{"the newest batch", broker.CodeInvalidRequest, func(c *command.PartitionCompact) { c.Items = []command.CompactItem{hole(rows[3])} }},
		{"not ascending", broker.CodeInvalidRequest, func(c *command.PartitionCompact) { c.Items = append(c.Items, hole(rows[1])) }},
		{"payload without a batch", broker.CodeInvalidRequest, func(c *command.PartitionCompact) { c.Payload, c.PayloadLength = []byte{1}, 1 }},
		{"clean beyond the end", broker.CodeInvalidRequest, func(c *command.PartitionCompact) { c.Cleaned = 11 }},
		{"more freed than there is", broker.CodeInvalidRequest, func(c *command.PartitionCompact) { c.Items[0].Freed = 401 }},
	} {
		cmd := command.PartitionCompact{Topic: id.Topic, Items: []command.CompactItem{hole(rows[1], rows[2])}, Cleaned: -1}
		c.change(&cmd)
		before := w.rows[0].Describe(0x10, 0x11, 0x12, 0x13, 0x14, 0x15)
		got, effects := w.apply(&cmd)
		if code := got[0].(*command.PartitionResult).Code; code != c.code || len(effects) > 0 {
			t.Errorf("%s: %v, want %v; %v", c.why, code, c.code, effects)
		}
		if after := w.rows[0].Describe(0x10, 0x11, 0x12, 0x13, 0x14, 0x15); after != before {
			t.Errorf("%s: refused, but rows changed:\n%s\nto\n%s", c.why, before, after)
		}
	}
	if got, _ := w.apply(&command.PartitionTrim{Topic: id.Topic, LogStart: 4, BytesBefore: 200, Rewrites: 1}); got[0].(*command.PartitionResult).Code != broker.CodeUnavailable {
		t.Errorf("a trim whose sizes were added up from other rows: %v", got)
	}
}
