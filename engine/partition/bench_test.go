package partition

import (
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// discard is a Writer that only counts.
type discard struct{ rows, bytes int }

func (d *discard) Set(k, v []byte)         { d.rows++; d.bytes += len(k) + len(v) }
func (d *discard) Delete(k []byte)         { d.rows++ }
func (d *discard) DeleteRange(_, _ []byte) { d.rows++ }

// What every produced batch goes through allocates nothing, once the machine's buffers have grown.
func TestAppendAllocatesNothing(t *testing.T) {
	m, w := New(Options{}), &discard{}
	id := parsePartition("a/0")
	var dst []byte
	apply := func(index uint64, body []byte) {
		var err error
		if dst, err = m.Apply(Context{Index: index}, body, w, dst[:0]); err != nil {
			t.Fatal(err)
		}
	}
	apply(1, (&command.PartitionCreate{Topic: id.Topic, Config: command.PartitionConfig{BatchBytesMax: 1000}}).AppendTo(nil))
	body := newAppend(id, 10, 1000, func(*command.Append) {}).AppendTo(nil)
	index := uint64(1)
	n := testing.AllocsPerRun(1000, func() {
		index++
		for range 4 {
			apply(index, body)
		}
		if effects := m.Flush(w); len(effects) != 1 {
			t.Fatalf("effects %v", effects)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per entry", n)
	}
}

// BenchmarkApply is the cost of one append in the machine alone: entries of 16 batches over 8 partitions, without and with
// idempotent producers, a Flush per entry.
func BenchmarkApply(b *testing.B) {
	const partitions, perEntry = 8, 16
	for _, idempotent := range []bool{false, true} {
		name := "plain"
		if idempotent {
			name = "idempotent"
		}
		b.Run(name, func(b *testing.B) {
			m, w := New(Options{}), &discard{}
			var dst []byte
			apply := func(index uint64, body []byte) {
				var err error
				if dst, err = m.Apply(Context{Index: index, Clock: index}, body, w, dst[:0]); err != nil {
					b.Fatal(err)
				}
			}
			ids := make([]broker.Partition, partitions)
			for i := range ids {
				ids[i] = broker.Partition{Topic: broker.TopicID{1}, Index: int32(i)}
				c := command.PartitionCreate{Topic: ids[i].Topic, Partition: ids[i].Index, Config: command.PartitionConfig{BatchBytesMax: 1 << 20}}
				apply(1, c.AppendTo(nil))
			}
			c := newAppend(ids[0], 100, 1000, func(c *command.Append) { c.ProducerID = -1 })
			body := c.AppendTo(nil)
			*w = discard{}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				c.Partition = ids[i%partitions].Index
				c.MaxTimestamp = int64(i)
				if idempotent {
					c.ProducerID, c.BaseSequence = 7, int32(i/partitions*100)
				}
				body = append(c.AppendHead(body[:0]), c.Payload...)
				apply(uint64(2+i/perEntry), body)
				if i%perEntry == perEntry-1 {
					m.Flush(w)
				}
			}
			b.ReportMetric(float64(w.rows)/float64(b.N), "rows/op")
			b.ReportMetric(float64(w.bytes)/float64(b.N), "row-B/op")
		})
	}
}
