package check

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// plant breaks a clean history of the model and returns what the sentence about it
// must name: records and clients. It returns nil when the history has nothing that
// it could break.
type plant func(h *History) []string

// opsWhere returns the indexes of the operations that a condition holds for.
func opsWhere(h *History, hold func(o *Op) bool) []int {
	var list []int
	for i := range h.Ops {
		if hold(&h.Ops[i]) {
			list = append(list, i)
		}
	}
	return list
}

// middle returns one that is neither early nor late, or -1.
func middle(list []int) int {
	if len(list) == 0 {
		return -1
	}
	return list[len(list)/2]
}

// kept are partitions of the model from which nothing is ever removed.
func kept(partition string) bool { return partition == "t/0" || partition == "t/1" }

// given says whether a consumer at read_committed was given a value.
func given(h *History, value string) bool {
	return slices.ContainsFunc(h.Ops, func(o Op) bool {
		return !o.Uncommitted && slices.ContainsFunc(o.Do, func(m Mop) bool { return m.Poll && m.Value == value })
	})
}

// unpoll takes a value from all polls that a condition holds for.
func unpoll(h *History, value string, where func(o *Op) bool) {
	for i := range h.Ops {
		if o := &h.Ops[i]; where(o) {
			o.Do = slices.DeleteFunc(slices.Clone(o.Do), func(m Mop) bool { return m.Poll && m.Value == value })
		}
	}
}

func anyOp(*Op) bool { return true }

// reassigned sets the offset of a value wherever it is seen.
func reassigned(h *History, value string, offset int64) {
	for i := range h.Ops {
		h.Ops[i].Do = slices.Clone(h.Ops[i].Do)
		for j := range h.Ops[i].Do {
			if m := &h.Ops[i].Do[j]; m.Value == value && m.Offset >= 0 {
				m.Offset = offset
			}
		}
	}
}

// plainSend returns an acknowledged send, without a transaction, that the final
// reading has, in a partition from which nothing is removed.
func plainSend(h *History) int {
	return middle(opsWhere(h, func(o *Op) bool {
		return o.Kind == KindSend && o.Outcome == OK && kept(o.Do[0].Partition) && o.Do[0].Offset > 2 && given(h, o.Do[0].Value)
	}))
}

// longPoll returns an ok poll of an assigned reader with three records of one partition.
func longPoll(h *History) (op, first int) {
	op = middle(opsWhere(h, func(o *Op) bool { return longRun(o) >= 0 }))
	if op < 0 {
		return -1, -1
	}
	return op, longRun(&h.Ops[op])
}

func longRun(o *Op) int {
	if o.Kind != KindPoll || o.Outcome != OK || o.Final || o.Uncommitted {
		return -1
	}
	for i := 0; i+2 < len(o.Do); i++ {
		if p := o.Do[i].Partition; kept(p) && o.Do[i+1].Partition == p && o.Do[i+2].Partition == p {
			return i
		}
	}
	return -1
}

// after is a span after everything in a history.
func after(h *History, n int) Span {
	end := h.Ops[len(h.Ops)-1].Return
	for _, s := range h.Starts {
		end = max(end, s.Return)
	}
	return Span{end + 10*time.Duration(n), end + 10*time.Duration(n) + 1}
}

// pairCycle adds operations that were given each other's values.
func pairCycle(h *History, a, b Span, processB string) []string {
	h.Ops = append(h.Ops,
		Op{Span: a, Process: "left", Kind: KindTxn, Do: []Mop{{Partition: "l", Value: "vl"}, {Poll: true, Partition: "r", Value: "vr"}}},
		Op{Span: b, Process: processB, Kind: KindTxn, Do: []Mop{{Partition: "r", Value: "vr"}, {Poll: true, Partition: "l", Value: "vl"}}})
	return []string{"left", processB, `"vl"`}
}

// future adds an operation that is given what one sends that begins after its end.
func future(h *History, sender string) []string {
	h.Ops = append(h.Ops,
		Op{Span: after(h, 1), Process: "left", Kind: KindPoll, Do: []Mop{{Poll: true, Partition: "l", Value: "vl"}}},
		Op{Span: after(h, 2), Process: sender, Kind: KindSend, Do: []Mop{{Partition: "l", Value: "vl"}}})
	return []string{"left", sender, `"vl"`}
}

var plantedOps = []struct {
	name    string
	anomaly string
	plant   plant
}{
	{"two consumers see two logs", InconsistentOffsets, func(h *History) []string {
		op, i := longPoll(h)
		if op < 0 {
			return nil
		}
		o := &h.Ops[op]
		o.Do = slices.Clone(o.Do)
		o.Do[i].Value = o.Do[i+1].Value
		return []string{o.Process, o.Do[i].Value}
	}},
	{"stored twice", Duplicate, func(h *History) []string {
		n := plainSend(h)
		if n < 0 {
			return nil
		}
		m := h.Ops[n].Do[0]
		h.Ops = append(h.Ops, Op{Process: "late", Kind: KindPoll, Do: []Mop{{Poll: true, Partition: m.Partition, Offset: 1 << 20, Value: m.Value}}})
		return []string{m.Value, "late", h.Ops[n].Process}
	}},
	{"passed over by all", LostWrite, func(h *History) []string {
		n := plainSend(h)
		if n < 0 {
			return nil
		}
		h.Drained = nil
		unpoll(h, h.Ops[n].Do[0].Value, anyOp)
		return []string{h.Ops[n].Do[0].Value, h.Ops[n].Process}
	}},
	{"a record of an unknown transaction that was seen is passed over", LostWrite, func(h *History) []string {
		n := seenTxn(h)
		if n < 0 {
			return nil
		}
		h.Drained = nil
		h.Ops[n].Outcome = Unknown
		value := h.Ops[n].Do[0].Value
		unpoll(h, value, anyOp)
		return []string{value, h.Ops[n].Process}
	}},
	{"acknowledged and gone", Unseen, func(h *History) []string {
		n := plainSend(h)
		if n < 0 {
			return nil
		}
		unpoll(h, h.Ops[n].Do[0].Value, anyOp)
		return []string{h.Ops[n].Do[0].Value, h.Ops[n].Process}
	}},
	{"seen and gone", Vanished, func(h *History) []string {
		op, i := longPoll(h)
		if op < 0 {
			return nil
		}
		unpoll(h, h.Ops[op].Do[i].Value, func(o *Op) bool { return o.Final })
		return []string{h.Ops[op].Do[i].Value}
	}},
	{"half a transaction is gone", TornTransaction, func(h *History) []string {
		n := seenTxn(h)
		if n < 0 {
			return nil
		}
		o := &h.Ops[n]
		o.Outcome, o.Do = Unknown, slices.Clone(o.Do)
		for i := range o.Do {
			o.Do[i].Offset = -1
		}
		unpoll(h, o.Do[0].Value, anyOp)
		return []string{o.Do[0].Value, o.Process}
	}},
	{"half a transaction is held back after the other half was seen", TornTransaction, func(h *History) []string {
		for i := range h.Ops {
			o := &h.Ops[i]
			if o.TransactionalID == "" || o.Outcome != OK || len(o.Do) < 2 || o.Group != "" {
				continue
			}
			for _, m := range o.Do[1:] {
				if first := o.Do[0]; m.Partition != first.Partition && h.Shards[m.Partition] == h.Shards[first.Partition] && given(h, m.Value) && given(h, first.Value) {
					h.Ends = append(h.Ends, End{after(h, 1), m.Partition, m.Offset, true})
					return []string{m.Value, o.Process}
				}
			}
		}
		return nil
	}},
	{"aborted and seen", AbortedRead, func(h *History) []string {
		n := seenTxn(h)
		if n < 0 {
			return nil
		}
		h.Ops[n].Outcome = Failed
		return []string{h.Ops[n].Do[0].Value, h.Ops[n].Process}
	}},
	{"seen by itself", PrecommittedRead, func(h *History) []string {
		n := seenTxn(h)
		if n < 0 {
			return nil
		}
		m := h.Ops[n].Do[0]
		m.Poll = true
		h.Ops[n].Do = append(slices.Clone(h.Ops[n].Do), m)
		return []string{m.Value, h.Ops[n].Process}
	}},
	{"made up", Phantom, func(h *History) []string {
		h.Ops = append(h.Ops, Op{Process: "late", Kind: KindPoll, Do: []Mop{{Poll: true, Partition: "t/0", Offset: 1 << 20, Value: "made up"}}})
		return []string{"made up", "late"}
	}},
	{"elsewhere", WrongPartition, func(h *History) []string {
		op, i := longPoll(h)
		if op < 0 {
			return nil
		}
		m := h.Ops[op].Do[i]
		m.Partition, m.Offset = "t/9", 0
		h.Ops = append(h.Ops, Op{Process: "late", Kind: KindPoll, Do: []Mop{m}})
		return []string{m.Value, "late"}
	}},
	{"one operation skips", IntPollSkip, func(h *History) []string {
		op, i := longPoll(h)
		if op < 0 {
			return nil
		}
		o := &h.Ops[op]
		skipped := o.Do[i+1].Value
		o.Do = slices.Delete(slices.Clone(o.Do), i+1, i+2)
		return []string{skipped, o.Process}
	}},
	{"one operation goes back", IntNonmonotonicPoll, func(h *History) []string {
		op, i := longPoll(h)
		if op < 0 {
			return nil
		}
		o := &h.Ops[op]
		o.Do = slices.Clone(o.Do)
		o.Do[i], o.Do[i+1] = o.Do[i+1], o.Do[i]
		return []string{o.Do[i].Value, o.Process}
	}},
	{"a poll is lost", PollSkip, func(h *History) []string {
		op, _ := longPoll(h)
		if op < 0 {
			return nil
		}
		o := h.Ops[op]
		p, partition := o.Process, o.Do[longRun(&o)].Partition
		// Some poll of the same process before and after it, with no assignment between.
		before, after := -1, -1
		for i := op - 1; i >= 0 && before < 0; i-- {
			if b := &h.Ops[i]; b.Process == p && b.Kind.moves() {
				return nil
			} else if b.Process == p && slices.ContainsFunc(b.Do, func(m Mop) bool { return m.Partition == partition }) {
				before = i
			}
		}
		for i := op + 1; i < len(h.Ops) && after < 0; i++ {
			if b := &h.Ops[i]; b.Process == p && b.Kind.moves() {
				return nil
			} else if b.Process == p && slices.ContainsFunc(b.Do, func(m Mop) bool { return m.Partition == partition }) {
				after = i
			}
		}
		if before < 0 || after < 0 {
			return nil
		}
		h.Ops = slices.Delete(h.Ops, op, op+1)
		return []string{p}
	}},
	{"a poll is repeated", NonmonotonicPoll, func(h *History) []string {
		op, i := longPoll(h)
		if op < 0 {
			return nil
		}
		o := h.Ops[op]
		h.Ops = slices.Insert(h.Ops, op, o)
		return []string{o.Process, o.Do[i].Value}
	}},
	{"two sends of a producer swapped", NonmonotonicSend, func(h *History) []string {
		for a := range h.Ops {
			for b := a + 1; b < len(h.Ops); b++ {
				x, y := &h.Ops[a], &h.Ops[b]
				if x.Kind == KindSend && y.Kind == KindSend && x.Process == y.Process && x.Outcome == OK && y.Outcome == OK && x.Do[0].Partition == y.Do[0].Partition {
					s, t := x.Do[0], y.Do[0]
					reassigned(h, s.Value, t.Offset)
					reassigned(h, t.Value, s.Offset)
					return []string{s.Value, t.Value, x.Process}
				}
			}
		}
		return nil
	}},
	{"two sends of a transaction swapped", IntNonmonotonicSend, func(h *History) []string {
		for i := range h.Ops {
			o := &h.Ops[i]
			if o.Kind == KindTxn && o.Outcome == OK && o.Group == "" && len(o.Do) > 1 && o.Do[0].Partition == o.Do[1].Partition {
				s, t := o.Do[0], o.Do[1]
				reassigned(h, s.Value, t.Offset)
				reassigned(h, t.Value, s.Offset)
				return []string{s.Value, t.Value, o.Process}
			}
		}
		return nil
	}},
	{"given each other's values", ReadCycle, func(h *History) []string {
		s := after(h, 1)
		return pairCycle(h, s, s, "right")
	}},
	{"given the value of a later operation of the same process", ReadCycle + inProcess, func(h *History) []string { return future(h, "left") }},
	{"given the value of a later operation", ReadCycle + inRealtime, func(h *History) []string { return future(h, "right") }},
	{"an append below the end", AppendWentBack, func(h *History) []string {
		n := plainSend(h)
		if n < 0 {
			return nil
		}
		o := &h.Ops[n]
		unpoll(h, o.Do[0].Value, anyOp)
		o.Span = after(h, 1)
		return []string{o.Do[0].Value, o.Process}
	}},
	{"a stale end", StaleEnd, func(h *History) []string {
		n := plainSend(h)
		if n < 0 {
			return nil
		}
		m := h.Ops[n].Do[0]
		h.Ends = append(h.Ends, End{after(h, 1), m.Partition, m.Offset, false})
		return []string{m.Partition, "known to be taken"}
	}},
	{"a stable offset below what was read", StaleEnd, func(h *History) []string {
		h.Ends = append(h.Ends, End{after(h, 1), "t/0", 0, true})
		return []string{"t/0", "known to be taken"}
	}},
	{"a zombie by time", ZombieWrite, func(h *History) []string {
		n := seenTxn(h)
		if n < 0 {
			return nil
		}
		h.Epochs = append(h.Epochs, Epoch{Span{1, h.Ops[n].Call - 1}, h.Ops[n].TransactionalID, 1 << 20})
		return []string{h.Ops[n].Process}
	}},
	{"a zombie by order", ZombieWrite, func(h *History) []string {
		n := seenTxn(h)
		if n < 0 {
			return nil
		}
		o := h.Ops[n]
		h.Ops = append(h.Ops, Op{Process: "zombie", Kind: KindTxn, TransactionalID: o.TransactionalID, Epoch: -1, Do: []Mop{{Partition: o.Do[0].Partition, Offset: 1 << 20, Value: "zombie's"}}})
		return []string{"zombie", "zombie's", o.Process}
	}},
	{"a commit of an old member", ZombieCommit, func(h *History) []string {
		if len(h.Assignments) == 0 {
			return nil
		}
		h.Commits = append(h.Commits, Commit{Span: after(h, 1), Group: "g", Member: "zombie", Generation: -1, Partition: "t/0", Offset: 0})
		return []string{"zombie"}
	}},
	{"consumed twice", ConsumedTwice, func(h *History) []string {
		n := consumer(h)
		if n < 0 {
			return nil
		}
		o := h.Ops[n]
		o.Do = slices.DeleteFunc(slices.Clone(o.Do), func(m Mop) bool { return !m.Poll })
		o.Process, o.Span, o.Member = "again", Span{}, ""
		h.Ops = append(h.Ops, o)
		return []string{"again", h.Ops[n].Process, o.Do[0].Value}
	}},
	{"never consumed", ConsumedNever, func(h *History) []string {
		consumers := opsWhere(h, consumes)
		for _, n := range consumers {
			o := &h.Ops[n]
			if polls := slices.DeleteFunc(slices.Clone(o.Do), func(m Mop) bool { return !m.Poll }); len(polls) == 3 {
				for _, other := range consumers { // aborted ones do not count
					if other != n && slices.Contains(h.Ops[other].Do, polls[1]) {
						return nil
					}
				}
				o.Do = slices.DeleteFunc(slices.Clone(o.Do), func(m Mop) bool { return m == polls[1] })
				return []string{polls[1].Value}
			}
		}
		return nil
	}},
	{"a transaction's offset is overwritten", OffsetWentBack, func(h *History) []string {
		n := consumer(h)
		if n < 0 {
			return nil
		}
		p := h.Ops[n].Offsets[0]
		if len(opsWhere(h, func(o *Op) bool { return consumes(o) && o.Outcome == Unknown && o.Offsets[0] == p })) > 0 {
			return nil // it may be committed again
		}
		h.Commits = append(h.Commits, Commit{Span: after(h, 1), Group: "g", Member: "late", Generation: 1 << 20, Partition: p.Partition, Offset: 1 << 20})
		h.Fetches = append(h.Fetches, Fetch{after(h, 2), "g", p.Partition, p.Offset, true})
		return []string{"late"}
	}},
	{"a tombstone went too early", Undead, func(h *History) []string { return deleted(h, 5) }},
	{"what one passed over another is given later", CameBack, func(h *History) []string {
		deleted(h, 11)
		for i, v := range []string{"value", "tombstone"} {
			h.Ops = append(h.Ops, Op{Span: after(h, 20+i), Process: "late", Kind: KindPoll, Do: []Mop{{Poll: true, Partition: "k", Offset: int64(i), Value: v}}})
		}
		return []string{"mourner", "late", `"tombstone"`}
	}},
	{"a record went before another took its place", PollSkip, func(h *History) []string {
		h.Compacted = append(slices.Clone(h.Compacted), "k")
		add := func(process string, kind Kind, m Mop) {
			m.Partition = "k"
			h.Ops = append(h.Ops, Op{Span: after(h, 1), Process: process, Kind: kind, Do: []Mop{m}})
		}
		add("writer", KindSend, Mop{Value: "first", Key: "other"})
		add("writer", KindSend, Mop{Value: "skipped", Key: "key", Offset: 1})
		add("writer", KindSend, Mop{Value: "third", Key: "other", Offset: 2})
		add("reader", KindPoll, Mop{Poll: true, Value: "first"})
		add("reader", KindPoll, Mop{Poll: true, Value: "third", Offset: 2})
		add("writer", KindSend, Mop{Value: "late", Key: "key", Offset: 3})
		return []string{"reader", `"skipped"`}
	}},
	{"nothing is behind what a tombstone deleted", Undead, func(h *History) []string {
		names := deleted(h, 5)
		h.Ops = h.Ops[:len(h.Ops)-1]
		h.Ops[len(h.Ops)-1].Final, h.Drained = true, append(slices.Clone(h.Drained), "k")
		return names
	}},
	{"a value sent twice", InvalidHistory, func(h *History) []string {
		n := plainSend(h)
		if n < 0 {
			return nil
		}
		o := h.Ops[n]
		o.Process = "twin"
		h.Ops = append(h.Ops, o)
		return []string{o.Do[0].Value, "twin"}
	}},
}

// deleted adds a compacted partition with a key that was deleted, and a reader that takes so long from the record to one behind the
// tombstone, and is not given the tombstone. Tombstones stay for 10.
func deleted(h *History, takes time.Duration) []string {
	h.Compacted, h.TombstonesStay = append(slices.Clone(h.Compacted), "k"), 10
	for i, m := range []Mop{{Value: "value", Key: "key"}, {Value: "tombstone", Key: "key", Tombstone: true}, {Value: "other", Key: "other"}} {
		m.Partition, m.Offset = "k", int64(i)
		h.Ops = append(h.Ops, Op{Span: after(h, 1), Process: "writer", Kind: KindSend, Do: []Mop{m}})
	}
	begin := after(h, 1).Call
	for i, v := range []string{"value", "other"} {
		at := begin + time.Duration(i)*takes
		h.Ops = append(h.Ops, Op{Span: Span{at, at}, Process: "mourner", Kind: KindPoll, Do: []Mop{{Poll: true, Partition: "k", Offset: int64(2 * i), Value: v}}})
	}
	return []string{"mourner", `"value"`, `"tombstone"`}
}

// seenTxn returns a committed transaction of which a consumer was given two values,
// the first of them in a partition from which nothing is removed and not its last.
func seenTxn(h *History) int {
	return middle(opsWhere(h, func(o *Op) bool {
		if o.TransactionalID == "" || o.Group != "" || o.Outcome != OK || len(o.Do) < 2 || !kept(o.Do[0].Partition) {
			return false
		}
		return given(h, o.Do[0].Value) && given(h, o.Do[1].Value) && slices.ContainsFunc(h.Ops, func(r Op) bool {
			return r.Final && slices.ContainsFunc(r.Do, func(m Mop) bool { return m.Partition == o.Do[0].Partition && m.Offset > o.Do[0].Offset })
		})
	}))
}

// consumes says that an operation consumed something for the group.
func consumes(o *Op) bool { return o.Group == "g" && len(o.Offsets) > 0 && o.Outcome != Failed }

// consumer returns an ok operation that consumed something.
func consumer(h *History) int {
	return middle(opsWhere(h, func(o *Op) bool { return consumes(o) && o.Outcome == OK }))
}

func TestPlantedAnomaliesAreFound(t *testing.T) {
	for _, p := range plantedOps {
		t.Run(p.name, func(t *testing.T) {
			broken := 0
			for seed := uint64(0); seed < 200 && broken < 30; seed++ {
				h := cleanOps(seed, 800)
				names := p.plant(h)
				if names == nil {
					continue
				}
				broken++
				found := Kafka(h)
				if !slices.ContainsFunc(found, func(v Violation) bool { return v.Anomaly == p.anomaly && namesAll(v, names) }) {
					t.Fatalf("seed %d: want %s that names %q, got %v", seed, p.anomaly, names, found)
				}
			}
			if broken < 10 {
				t.Fatalf("only %d histories had something to break", broken)
			}
		})
	}
}

// namesAll says whether a violation's text has all names.
func namesAll(v Violation, names []string) bool {
	for _, n := range names {
		if !strings.Contains(v.Where+" "+v.Text, n) {
			return false
		}
	}
	return true
}
