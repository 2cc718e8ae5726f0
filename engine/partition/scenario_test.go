package partition

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// Scenarios: the first word of each step is
//
//	apply      the lines are commands of one log entry; answers their results and the effects
//	lead       a leader-start
//	time       replicated time and the wall clock go on, by milliseconds
//	describe   the whole state
//	batches, epoch-end, by-time, max-time, retain, trim-at      queries of one partition
//	compact    the lines say what becomes of batches: hole, rewrite (to a length), tombstones (until a time); and clean
//	stable     the last stable offset of a partition, and the aborted transactions that a reader of from=..to= is told of
//	live, clean      garbage collection's questions
//
// After every step replicas that restart, crash and commit otherwise are compared with the first.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		w := newWorld(t, Options{})
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.t = t
			return w.step(t, d)
		})
	})
}

func (w *world) step(t *testing.T, d *datadriven.TestData) string {
	var s strings.Builder
	l := line{t: t, args: map[string]string{}}
	for _, a := range d.CmdArgs {
		if len(a.Vals) > 0 {
			l.args[a.Key] = a.Vals[0]
		} else {
			l.id = parsePartition(a.Key)
		}
	}
	switch d.Cmd {
	case "shard":
		*w = *newWorld(t, Options{ProducersMax: int(l.int("producers-max", 0))})
		return w.machine[0].String() + "\n"
	case "apply":
		return w.script(t, d.Input)
	case "lead":
		w.lead(uint64(l.int("term", 0)))
		return w.machine[0].String() + "\n"
	case "time":
		w.clock += uint64(l.int("clock", 0))
		w.wall += l.int("wall", 0)
		return fmt.Sprintf("clock %d, wall %d\n", w.clock, w.wall)
	case "describe":
		return w.machine[0].Describe()
	case "batches":
		for _, b := range w.batches(w.head(l.id)) {
			fmt.Fprintf(&s, "%v\n", b)
		}
	case "stable":
		return w.stable(l)
	case "epoch-end":
		e, end := w.head(l.id).EpochEnd(broker.LeaderEpoch(l.int("of", 0)))
		fmt.Fprintf(&s, "epoch %d ends at %d\n", e, end)
	case "by-time":
		b, ok, err := ByTimestamp(w.rows[0], w.head(l.id), broker.Offset(l.int("from", 0)), l.int("at", 0))
		fmt.Fprintf(&s, "%v %v %v\n", b, ok, err)
	case "max-time":
		b, ok, err := MaxTimestampIn(w.rows[0], w.head(l.id))
		fmt.Fprintf(&s, "%v %v %v\n", b, ok, err)
	case "retain":
		c, ok, err := Retain(w.rows[0], w.head(l.id), w.wall)
		fmt.Fprintf(&s, "to=%d bytes=%d reason=%d due=%v %v\n", c.LogStart, c.BytesBefore, c.Reason, ok, err)
	case "trim-at":
		c, ok, err := TrimAt(w.rows[0], w.head(l.id), broker.Offset(l.int("at", 0)))
		fmt.Fprintf(&s, "to=%d bytes=%d due=%v %v\n", c.LogStart, c.BytesBefore, ok, err)
	case "compact":
		results, effects := w.apply(w.compaction(l, d.Input))
		fmt.Fprintln(&s, results[0])
		for _, e := range effects {
			fmt.Fprintf(&s, "effect: %v\n", e)
		}
	case "live":
		for _, n := range w.live(steady) {
			fmt.Fprintf(&s, "entry %d position %d length %d\n", n.Index, n.Position, n.Length)
		}
	case "clean":
		for i := range w.rows {
			c, err := CleanReverse(w.rows[i], w.rows[i], uint64(l.int("from", 0)), 1<<64-1, int(l.int("max", 100)))
			w.rows[i].Commit()
			if i == steady {
				fmt.Fprintf(&s, "%+v %v\n", c, err)
			}
		}
		w.agree()
	default:
		t.Fatalf("unknown verb %q", d.Cmd)
	}
	if s.Len() == 0 {
		return "none\n"
	}
	return s.String()
}

// compaction makes the command that does what the lines say to the batches between two offsets:
//
//	hole from=0 to=3     rewrite from=4 to=5 bytes=40 ts=7     tombstones from=6 to=7 until=500     clean to=8 bytes=400
func (w *world) compaction(l line, input string) *command.PartitionCompact {
	h := w.head(l.id)
	c := &command.PartitionCompact{Topic: l.id.Topic, Partition: l.id.Index, Rewrites: uint64(l.int("rewrites", int64(h.Rewrites))), Cleaned: -1, NextHorizon: -1}
	for _, text := range strings.Split(input, "\n") {
		x := parseLine(l.t, text)
		if x.verb == "clean" {
			c.Cleaned, c.CleanedBytes, c.NextHorizon = broker.Offset(x.int("to", 0)), uint64(x.int("bytes", 0)), x.int("horizon", -1)
			continue
		}
		var old []Batch
		for _, b := range w.batches(h) {
			if b.Base >= broker.Offset(x.int("from", 0)) && b.Last <= broker.Offset(x.int("to", 0)) {
				old = append(old, b)
			}
		}
		b := old[len(old)-1]
		switch x.verb {
		case "hole":
			b = Hole(old...)
		case "rewrite":
			payload := bytes.Repeat([]byte{'r'}, int(x.int("bytes", 0)))
			b.Name.Length, b.Name.CRC = uint32(len(payload)), crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli))
			b.MaxTimestamp = x.int("ts", b.MaxTimestamp)
			b.Age = b.MaxTimestamp
			c.Payload = append(c.Payload, payload...)
		case "tombstones":
			b.Horizon = x.int("until", -1)
		}
		c.Items = append(c.Items, b.Item(x.verb == "rewrite", old...))
	}
	c.PayloadLength = uint32(len(c.Payload))
	return c
}

// script applies the lines as one entry.
func (w *world) script(t *testing.T, input string) string {
	lines := strings.Split(input, "\n")
	cs := make([]line, len(lines))
	for i := range lines {
		cs[i] = parseLine(t, lines[i])
	}
	var s strings.Builder
	results, effects := w.applyLines(cs)
	for _, r := range results {
		fmt.Fprintln(&s, r)
	}
	for _, e := range effects {
		fmt.Fprintf(&s, "effect: %v\n", e)
	}
	return s.String()
}

func (w *world) applyLines(ls []line) ([]string, []Effect) {
	cs := make([]command.Message, len(ls))
	for i, l := range ls {
		cs[i] = l.command()
	}
	results, effects := w.apply(cs...)
	out := make([]string, len(results))
	for i, r := range results {
		out[i] = short(r)
	}
	return out, effects
}

// short is a result without the fields that say nothing.
func short(m command.Message) string {
	if p, ok := m.(*command.TxnParticipantsResult); ok {
		return shortParticipants(p)
	}
	r, ok := m.(*command.AppendResult)
	switch {
	case !ok:
		return fmt.Sprint(m)
	case r.Code != broker.CodeNone:
		return fmt.Sprintf("refused: %v", r.Code)
	case r.Duplicate:
		return fmt.Sprintf("duplicate of offset %d, stamp %d", r.BaseOffset, r.LogAppendTime)
	}
	return fmt.Sprintf("offset %d, log start %d, stamp %d", r.BaseOffset, r.LogStart, r.LogAppendTime)
}
