package partition

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"pgregory.net/rapid"
)

// model is a shard as one would write it without thinking of rows, memory or restarts: it keeps every batch.
type model struct {
	term       broker.LeaderEpoch
	partitions map[broker.Partition]*modelPartition
	used       int // counts uses of producers
}

type modelPartition struct {
	config    command.PartitionConfig
	baseEpoch broker.LeaderEpoch
	start     broker.Offset
	batches   []modelBatch
	everAdded []modelBatch // as they were appended, whatever compaction did to them: epochs are told by these
	compact   bool
	rewrites  uint64
	producers map[broker.ProducerID]*modelProducer
}

type modelBatch struct {
	base, last    broker.Offset
	bytes         uint64
	ts, stamp     int64
	age           int64
	maxAt         broker.Offset
	epoch         broker.LeaderEpoch
	sequence      int32
	producerEpoch broker.ProducerEpoch
	fingerprint   uint64
	index         uint64
	hole          bool
	appended      uint64 // bytes, as they were appended
	horizon       int64
}

type modelProducer struct {
	epoch   broker.ProducerEpoch
	batches []modelBatch // all of this epoch
	used    uint64       // clock
	order   int
}

func (p *modelPartition) next() broker.Offset {
	if len(p.batches) == 0 {
		return 0
	}
	return p.batches[len(p.batches)-1].last + 1
}

// log are the batches that are not whole below the log start.
func (p *modelPartition) log() []modelBatch {
	i := slices.IndexFunc(p.batches, func(b modelBatch) bool { return b.last >= p.start })
	if i < 0 {
		return nil
	}
	return p.batches[i:]
}

func (p *modelPartition) bytes() (n uint64) {
	for _, b := range p.log() {
		n += b.bytes
	}
	return n
}

func (m *model) producers() (n int) {
	for _, p := range m.partitions {
		n += len(p.producers)
	}
	return n
}

// append says what an append answers, and does it.
func (m *model) append(w *world, c *command.Append, producersMax int) command.AppendResult {
	p := m.partitions[broker.Partition{Topic: c.Topic, Index: c.Partition}]
	if p == nil {
		return command.AppendResult{Code: broker.CodeUnknownTopic, BaseOffset: -1, LogStart: -1, LogAppendTime: -1}
	}
	refuse := func(code broker.Code) command.AppendResult {
		return command.AppendResult{Code: code, BaseOffset: -1, LogStart: p.start, LogAppendTime: -1}
	}
	var producer *modelProducer
	if c.ProducerID >= 0 {
		producer = p.producers[c.ProducerID]
		if producer != nil {
			remembered := producer.batches[max(0, len(producer.batches)-5):]
			last := producer.batches[len(producer.batches)-1]
			next := int32((int64(last.sequence) + int64(last.last-last.base) + 1) % (1 << 31))
			switch {
			case c.ProducerEpoch < producer.epoch:
				return refuse(broker.CodeProducerFenced)
			case c.ProducerEpoch > producer.epoch:
				if c.BaseSequence != 0 {
					return refuse(broker.CodeOutOfOrderSequence)
				}
			default:
				same := func(b modelBatch) bool { return b.sequence == c.BaseSequence && int32(b.last-b.base)+1 == c.Records }
				if i := slices.IndexFunc(remembered, same); i >= 0 {
					if remembered[i].fingerprint != c.Fingerprint {
						return refuse(broker.CodeOutOfOrderSequence)
					}
					return command.AppendResult{Duplicate: true, BaseOffset: remembered[i].base, LogStart: p.start, LogAppendTime: remembered[i].stamp}
				}
				if c.BaseSequence != next {
					if forgotten(producer, c, len(producer.batches)-len(remembered)) {
						return refuse(broker.CodeDuplicateSequence)
					}
					return refuse(broker.CodeOutOfOrderSequence)
				}
			}
		}
	}
	if c.PayloadLength > p.config.BatchBytesMax {
		return refuse(broker.CodeBatchTooLarge)
	}
	if c.ProducerID >= 0 && producer == nil {
		if m.producers()+w.doomedProducers() >= producersMax {
			return refuse(broker.CodeThrottled)
		}
		producer = &modelProducer{epoch: c.ProducerEpoch}
		p.producers[c.ProducerID] = producer
	}
	b := modelBatch{base: p.next(), last: p.next() + broker.Offset(c.Records) - 1, bytes: uint64(c.PayloadLength), ts: c.MaxTimestamp,
		stamp: c.LogAppendTime, epoch: p.baseEpoch + m.term, sequence: c.BaseSequence, producerEpoch: c.ProducerEpoch, fingerprint: c.Fingerprint, index: w.index + 1 + w.ahead,
		appended: uint64(c.PayloadLength), horizon: -1}
	b.maxAt = b.base + broker.Offset(c.MaxTimestampDelta)
	if b.stamp >= 0 {
		b.ts, b.maxAt = b.stamp, b.base
	}
	b.age = b.ts
	if b.ts < 0 {
		b.age = w.wall
	}
	p.batches, p.everAdded = append(p.batches, b), append(p.everAdded, b)
	if producer != nil {
		if producer.epoch != c.ProducerEpoch {
			producer.epoch, producer.batches = c.ProducerEpoch, nil
		}
		producer.batches = append(producer.batches, b)
		producer.used = w.clock
		m.used++
		producer.order = m.used
	}
	return command.AppendResult{BaseOffset: b.base, LogStart: p.start, LogAppendTime: b.stamp}
}

// forgotten says that all sequences of a batch are those of batches before the remembered ones.
func forgotten(producer *modelProducer, c *command.Append, n int) bool {
	old := map[int32]bool{}
	for _, b := range producer.batches[:n] {
		for i := range int64(b.last - b.base + 1) {
			old[int32((int64(b.sequence)+i)%(1<<31))] = true
		}
	}
	for i := range int64(c.Records) {
		if !old[int32((int64(c.BaseSequence)+i)%(1<<31))] {
			return false
		}
	}
	return true
}

// epochEnd answers KIP-101's question from the batches: all ever appended, so that trimmed epochs count as well.
func (m *model) epochEnd(p *modelPartition, asked broker.LeaderEpoch) (broker.LeaderEpoch, broker.Offset) {
	current := p.baseEpoch + m.term
	if asked < 0 || asked > current {
		return -1, -1
	}
	if asked == current {
		return asked, p.next()
	}
	// What is known: the epochs of the log and, of those before, the newest.
	known := p.everAdded
	for i, b := range p.everAdded {
		if b.base <= p.start {
			known = p.everAdded[i:]
		}
	}
	found, end := asked, p.next()
	for _, b := range slices.Backward(known) {
		if b.epoch <= asked {
			found = b.epoch
			break
		}
		end = b.base
	}
	// An epoch may have begun before the batch that holds the log start; nothing below the log start is told.
	return found, max(end, p.start)
}

func (p *modelPartition) retain(wall int64) broker.Offset {
	start := p.start
	log := p.log()
	if keep := p.config.RetentionMs; keep >= 0 {
		for _, b := range log {
			if wall-b.age <= keep {
				break
			}
			start = b.last + 1
		}
	}
	if keep := p.config.RetentionBytes; keep >= 0 {
		rest := p.bytes()
		for _, b := range log {
			if rest-b.bytes < uint64(keep) || rest < b.bytes {
				break
			}
			rest -= b.bytes
			start = max(start, b.last+1)
		}
	}
	return start
}

// compare looks at one partition through every query.
func (m *model) compare(t *rapid.T, w *world, id broker.Partition, p *modelPartition) {
	h := w.head(id)
	if h.Next != p.next() || h.Start != p.start || h.Bytes() != p.bytes() || h.Config != p.config {
		t.Fatalf("%v, want offsets %d..%d, %d bytes", h, p.start, p.next(), p.bytes())
	}
	log, got := p.log(), w.batches(h)
	if len(log) != len(got) {
		t.Fatalf("%v has %d batches, want %d", id, len(got), len(log))
	}
	for i, b := range got {
		want := log[i]
		if b.Base != want.base || b.Last != want.last || b.MaxTimestamp != want.ts || b.MaxAt != want.maxAt || b.Epoch != want.epoch ||
			b.LogAppendTime != want.stamp || uint64(b.Name.Length) != want.bytes || !want.hole && b.Name.Index != want.index || b.Hole() != want.hole || b.Appended != want.appended || b.Horizon != want.horizon {
			t.Fatalf("%v: batch %v, want %+v", id, b, want)
		}
		if e := h.EpochAt(b.Last); e != want.epoch {
			t.Fatalf("%v: epoch %d at offset %d, want %d", h.Describe(), e, b.Last, want.epoch)
		}
		for _, o := range []broker.Offset{max(b.Base, h.Start), b.Last} {
			if found, ok, err := FindBatch(w.rows[0], h, o); !ok || err != nil || found != b {
				t.Fatalf("offset %d: found %v %v %v, want %v", o, found, ok, err, b)
			}
		}
	}
	for e := broker.LeaderEpoch(-1); e <= h.Epoch+1; e++ {
		ge, go_ := h.EpochEnd(e)
		if we, wo := m.epochEnd(p, e); ge != we || go_ != wo {
			t.Fatalf("%v: epoch %d: answered %d ends at %d, want %d at %d", h.Describe(), e, ge, go_, we, wo)
		}
	}
	for _, o := range []broker.Offset{h.Start - 1, h.Next} {
		if _, ok, err := FindBatch(w.rows[0], h, o); ok || err != nil || h.EpochAt(o) != broker.NoEpoch {
			t.Fatalf("%v: offset %d is found: %v", h, o, err)
		}
	}
	m.compareTimes(t, w, h, log)
	c, due, err := Retain(w.rows[0], h, w.wall)
	want := p.retain(w.wall)
	if err != nil || due != (want > p.start) || due && c.LogStart != want {
		t.Fatalf("%v: retain %v %v %v, want %d", h.Describe(), c.LogStart, due, err, want)
	}
}

func (m *model) compareTimes(t *rapid.T, w *world, h *Head, log []modelBatch) {
	at, from := drawTime(t, "at"), broker.Offset(rapid.Int64Range(0, int64(h.Next)).Draw(t, "from"))
	i := slices.IndexFunc(log, func(b modelBatch) bool { return b.last >= from && b.ts >= at })
	b, ok, err := ByTimestamp(w.rows[0], h, from, at)
	if err != nil || ok != (i >= 0) || ok && b.Base != log[i].base {
		t.Fatalf("first at or after %d from %d: %v %v %v, want batch %d of %v", at, from, b, ok, err, i, log)
	}
	best := -1
	for i, b := range log {
		if b.ts >= 0 && (best < 0 || b.ts > log[best].ts) {
			best = i
		}
	}
	b, ok, err = MaxTimestampIn(w.rows[0], h)
	if err != nil || ok != (best >= 0) || ok && b.Base != log[best].base && log[best].maxAt >= h.Start {
		t.Fatalf("greatest timestamp: %v %v %v, want batch %d of %v", b, ok, err, best, log)
	}
}

func drawTime(t *rapid.T, label string) int64 {
	return 1_000_000 + rapid.Int64Range(-300, 300).Draw(t, label)
}

// The machine, restarted all the time on one of two replicas, answers every command and every query as the model.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const producersMax = 6
		w := newWorld(t, Options{ProducersMax: producersMax})
		m := &model{partitions: map[broker.Partition]*modelPartition{}}
		ids := []broker.Partition{parsePartition("a/0"), parsePartition("a/1"), parsePartition("b/0")}
		drawID := func(t *rapid.T) broker.Partition { return rapid.SampledFrom(ids).Draw(t, "id") }
		drawConfig := func(t *rapid.T) command.PartitionConfig {
			return command.PartitionConfig{Version: rapid.Uint64Range(1, 5).Draw(t, "version"), BatchBytesMax: rapid.SampledFrom([]uint32{40, 1000}).Draw(t, "max"),
				RetentionMs: rapid.SampledFrom([]int64{-1, 0, 100}).Draw(t, "ms"), RetentionBytes: rapid.SampledFrom([]int64{-1, 0, 60}).Draw(t, "bytes"), DeleteOld: true}
		}
		sweptAll := true
		appendOne := func(t *rapid.T) (command.Message, func() command.Message) {
			id := drawID(t)
			c := newAppend(id, rapid.Int32Range(1, 4).Draw(t, "records"), rapid.Uint32Range(1, 50).Draw(t, "bytes"), func(c *command.Append) {
				c.MaxTimestamp = drawTime(t, "ts")
				if rapid.IntRange(0, 9).Draw(t, "no ts") == 0 {
					c.MaxTimestamp = -1
				}
				c.MaxTimestampDelta = rapid.Int32Range(0, c.Records-1).Draw(t, "ts at")
				if rapid.IntRange(0, 5).Draw(t, "stamped") == 0 {
					c.LogAppendTime = w.wall
				}
				c.Fingerprint = uint64(rapid.IntRange(0, 1).Draw(t, "content"))
				if rapid.Bool().Draw(t, "idempotent") {
					m.drawSequence(t, id, c)
				}
			})
			return c, func() command.Message { r := m.append(w, c, producersMax); return &r }
		}
		t.Repeat(map[string]func(*rapid.T){
			"appends": func(t *rapid.T) {
				var cs, want []command.Message
				w.split = rapid.Bool().Draw(t, "split")
				defer func() { w.split, w.ahead = false, 0 }()
				for i := range rapid.IntRange(1, 6).Draw(t, "n") {
					if w.split {
						w.ahead = uint64(i)
					}
					c, answer := appendOne(t)
					cs, want = append(cs, c), append(want, answer())
				}
				if got, _ := w.apply(cs...); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("%v\ngot  %v\nwant %v", cs, got, want)
				}
			},
			"create": func(t *rapid.T) {
				id, config, base := drawID(t), drawConfig(t), broker.LeaderEpoch(rapid.Int32Range(0, 3).Draw(t, "base"))
				compaction := drawCompaction(t)
				w.apply(&command.PartitionCreate{Topic: id.Topic, Partition: id.Index, BaseEpoch: base, Config: config, Compaction: compaction})
				if m.partitions[id] == nil {
					m.partitions[id] = &modelPartition{config: config, compact: compaction.Compact, baseEpoch: base, producers: map[broker.ProducerID]*modelProducer{}}
				}
			},
			"configure": func(t *rapid.T) {
				id, config, compaction := drawID(t), drawConfig(t), drawCompaction(t)
				w.apply(&command.PartitionConfigure{Topic: id.Topic, Partition: id.Index, Config: config, Compaction: compaction})
				if p := m.partitions[id]; p != nil && config.Version > p.config.Version {
					p.config, p.compact = config, compaction.Compact
				}
			},
			"delete": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
					t.Skip()
				}
				id := drawID(t)
				w.apply(&command.PartitionDelete{Topic: id.Topic, Partition: id.Index})
				delete(m.partitions, id)
				sweptAll = false
			},
			"trim": func(t *rapid.T) {
				id := drawID(t)
				p := m.partitions[id]
				if p == nil {
					t.Skip()
				}
				to := broker.Offset(rapid.Int64Range(0, int64(p.next())).Draw(t, "to"))
				c, ok, err := TrimAt(w.rows[0], w.head(id), to)
				if err != nil || ok != (to > p.start) {
					t.Fatalf("trim to %d of %d..%d: %v %v", to, p.start, p.next(), ok, err)
				}
				if ok {
					w.apply(&c)
					p.start, sweptAll = to, false
				}
			},
			"retain": func(t *rapid.T) {
				for _, id := range ids {
					if p := m.partitions[id]; p != nil {
						if c, due, _ := Retain(w.rows[0], w.head(id), w.wall); due {
							w.apply(&c)
							p.start, sweptAll = c.LogStart, false
						}
					}
				}
			},
			"compact": func(t *rapid.T) {
				id := drawID(t)
				if p := m.partitions[id]; p != nil {
					m.compact(t, w, id, p)
				}
			},
			"sweep": func(t *rapid.T) {
				expire := rapid.SampledFrom([]int64{-1, 50}).Draw(t, "expire")
				budget := rapid.Uint32Range(0, 4).Draw(t, "budget")
				got, _ := w.apply(&command.Sweep{Budget: budget, ProducerExpireMs: expire})
				m.expire(w, got[0].(*command.SweepResult), expire)
				sweptAll = sweptAll || !got[0].(*command.SweepResult).More
				if sweptAll && w.doomedProducers() > 0 {
					t.Fatalf("everything is swept, but %d producers of deleted partitions are left", w.doomedProducers())
				}
			},
			"lead": func(t *rapid.T) {
				term := rapid.Uint64Range(1, 8).Draw(t, "term")
				w.lead(term)
				m.term = max(m.term, broker.LeaderEpoch(term))
			},
			"time": func(t *rapid.T) {
				w.clock += uint64(rapid.IntRange(0, 40).Draw(t, "clock"))
				w.wall += rapid.Int64Range(-20, 40).Draw(t, "wall")
			},
			"clean": func(t *rapid.T) {
				for i := range w.rows {
					c := Cleaned{}
					for calls := uint64(0); !c.Done; calls++ {
						var err error
						if c, err = CleanReverse(w.rows[i], w.rows[i], c.Next, math.MaxUint64, 3); err != nil || calls > w.index {
							t.Fatalf("clean: %+v %v", c, err)
						}
						w.rows[i].Commit()
					}
				}
				for i := range w.rows { // what is left holds something live
					if c, err := CleanReverse(w.rows[i], w.rows[i], 0, math.MaxUint64, math.MaxInt); err != nil || c.Deleted > 0 || !c.Done {
						t.Fatalf("cleaned again: %+v %v", c, err)
					}
				}
				w.agree()
			},
			"": func(t *rapid.T) {
				live := map[string]bool{}
				for _, id := range ids {
					p := m.partitions[id]
					if _, ok := w.machine[0].Head(id); ok != (p != nil) {
						t.Fatalf("%v there: %v, want %v", id, ok, p != nil)
					}
					if p == nil {
						continue
					}
					m.compare(t, w, id, p)
					for _, b := range w.batches(w.head(id)) {
						if b.Hole() {
							continue
						}
						live[fmt.Sprint(b.Name)] = true
					}
				}
				names := w.live(steady)
				for _, n := range names {
					if !live[fmt.Sprint(n)] && sweptAll {
						t.Fatalf("%v is live though everything was swept", n)
					}
					delete(live, fmt.Sprint(n))
				}
				if len(live) > 0 {
					t.Fatalf("in a log, but not live: %v", live)
				}
				if !slices.IsSortedFunc(names, func(a, b Name) int { return strings.Compare(nameKey(a), nameKey(b)) }) {
					t.Fatalf("live names out of order: %v", names)
				}
			},
		})
	})
}

// doomedProducers counts the producers of deleted partitions that are not freed yet: the model forgets them at once, but
// they count against the limit.
func (w *world) doomedProducers() (n int) {
	for _, slot := range w.machine[steady].doomed {
		n += w.machine[steady].bySlot[slot].byUse.n
	}
	return n
}

func nameKey(n Name) string { return fmt.Sprintf("%020d %020d", n.Index, n.Position) }

// drawSequence gives an append the numbers of a producer: mostly the next ones, often a retry, sometimes nonsense.
func (m *model) drawSequence(t *rapid.T, id broker.Partition, c *command.Append) {
	c.ProducerID = broker.ProducerID(rapid.Int64Range(0, 3).Draw(t, "producer"))
	c.ProducerEpoch = broker.ProducerEpoch(rapid.Int16Range(0, 1).Draw(t, "epoch"))
	c.BaseSequence = rapid.SampledFrom([]int32{0, 1, 5, math.MaxInt32, math.MaxInt32 - 2}).Draw(t, "sequence")
	p := m.partitions[id]
	if p == nil || p.producers[c.ProducerID] == nil {
		return
	}
	producer := p.producers[c.ProducerID]
	last := producer.batches[len(producer.batches)-1]
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0, 1:
		c.ProducerEpoch = producer.epoch
		c.BaseSequence = int32((int64(last.sequence) + int64(last.last-last.base) + 1) % (1 << 31))
	case 2, 3:
		b := rapid.SampledFrom(producer.batches).Draw(t, "retried")
		c.ProducerEpoch, c.BaseSequence, c.Records = b.producerEpoch, b.sequence, int32(b.last-b.base)+1
		c.MaxTimestampDelta = 0
		if rapid.IntRange(0, 2).Draw(t, "honest") > 0 {
			c.Fingerprint = b.fingerprint
		}
	case 4:
		c.ProducerEpoch, c.BaseSequence = producer.epoch+1, 0
	}
}

// expire forgets, of the producers whose time is over, as many as the machine says, least recently used first.
func (m *model) expire(w *world, r *command.SweepResult, expire int64) {
	for m.producers()+w.doomedProducers() > w.machine[steady].windows.n {
		var oldest *modelProducer
		var forget func()
		for _, p := range m.partitions {
			for id, producer := range p.producers {
				if oldest == nil || producer.order < oldest.order {
					oldest, forget = producer, func() { delete(p.producers, id) }
				}
			}
		}
		if expire < 0 || int64(w.clock-oldest.used) <= expire {
			w.t.Fatalf("a producer used at %d was forgotten at %d, expiry %d: %v", oldest.used, w.clock, expire, r)
		}
		forget()
	}
}
