package partition

import (
	"testing"

	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Any commands that decode may be in the log: no panic, and the rows load back as the machine that wrote them.
// The input is commands, each behind its length in two bytes; an odd length flushes.
func FuzzApply(f *testing.F) {
	id := parsePartition("a/0")
	var seed []byte
	for i, c := range []command.Message{
		&command.PartitionCreate{Topic: id.Topic, Config: command.PartitionConfig{BatchBytesMax: 100}, Compaction: command.CompactionConfig{Compact: true}},
		newAppend(id, 2, 10, func(c *command.Append) { c.ProducerID, c.BaseSequence = 7, 1<<31-2 }),
		newAppend(id, 1, 10, func(c *command.Append) { c.ProducerID, c.BaseSequence = 7, 0 }),
		newAppend(id, 1, 10, func(c *command.Append) { c.ProducerID, c.ProducerEpoch, c.BaseSequence = 7, 1, 0 }),
		&command.PartitionTrim{Topic: id.Topic, LogStart: 3, BytesBefore: 10},
		&command.PartitionCompact{Topic: id.Topic, Cleaned: 2, CleanedBytes: 10, NextHorizon: 5, PayloadLength: 3, Payload: []byte("abc"), Items: []command.CompactItem{
			{Rewritten: true, Last: 1, Length: 3, LogAppendTime: -1, BytesEnd: 10, Appended: 10, Freed: 7, Horizon: 5},
			{Merged: true, Base: 2, Last: 2, MaxAt: 2, MaxTimestamp: -1, LogAppendTime: -1, Age: -1, BytesEnd: 20, Appended: 10, Freed: 10, Horizon: -1}}},
		&command.Sweep{Budget: 3}, &command.Check{At: 1, Digest: 4},
		&command.PartitionConfigure{Topic: id.Topic, Config: command.PartitionConfig{Version: 7}},
		&command.PartitionDelete{Topic: id.Topic}, &command.Sweep{Budget: 3},
	} {
		b := c.AppendTo(nil)
		seed = append(append(seed, byte(len(b)>>8), byte(len(b)<<1)|byte(i&1)), b...)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		rows := &keyspace.Mem{}
		m := New(Options{ProducersMax: 3})
		for i := uint64(1); len(b) >= 2; i++ {
			flush := b[1]&1 == 1
			n := min(int(b[0])<<8|int(b[1])>>1, len(b)-2)
			body := b[2 : 2+n]
			b = b[2+n:]
			if result, err := m.Apply(Context{Index: i, Clock: i * 3, Wall: int64(i), Term: i / 4}, body, rows, nil); err == nil {
				if _, err := command.Decode(result); err != nil {
					t.Fatal(err)
				}
			}
			if flush || len(b) < 2 {
				m.Flush(rows)
				rows.Commit()
				loaded, err := Load(Options{ProducersMax: 3}, rows)
				if err != nil {
					t.Fatal(err)
				}
				if a, b := m.Describe(), loaded.Describe(); a != b {
					t.Fatalf("the machine:\n%s\nloaded:\n%s", a, b)
				}
			}
		}
	})
}
