package check

import "slices"

// operations returns a history's operations in one form: those it has, then a send
// of each Send and a poll of each Read. The order of a process's sends is that of
// its sequence numbers, its polls are in the order of History.
func operations(h *History) []Op {
	ops := slices.Grow(slices.Clone(h.Ops), len(h.Sends)+len(h.Reads))
	mops := make([]Mop, 0, len(h.Sends)+len(h.Reads)) // one array for all: they are many
	for _, i := range sequence(h.Sends) {
		s := &h.Sends[i]
		offset := s.Offset
		if s.Outcome != OK {
			offset = -1
		}
		mops = append(mops, Mop{Partition: s.Partition, Offset: offset, Value: s.Value, Key: s.Key, Tombstone: s.Tombstone})
		ops = append(ops, Op{Span: s.Span, Process: s.Producer, Kind: KindSend, Outcome: s.Outcome, Do: mops[len(mops)-1:]})
	}
	for i := range h.Reads {
		r := &h.Reads[i]
		mops = append(mops, Mop{Poll: true, Partition: r.Partition, Offset: r.Offset, Value: r.Value})
		ops = append(ops, Op{Span: Span{r.At, r.At}, Process: r.Consumer, Kind: KindPoll, Do: mops[len(mops)-1:], Final: r.Final})
	}
	return ops
}

// sequence returns the indexes of sends in an order in which the sequence numbers
// of each producer and partition rise.
func sequence(sends []Send) []int {
	type key struct{ producer, partition string }
	order := make([]int, len(sends))
	last := map[key]int{}
	sorted := true
	for i := range sends {
		s := &sends[i]
		order[i] = i
		k := key{s.Producer, s.Partition}
		if before, ok := last[k]; ok && s.Sequence < before {
			sorted = false
		}
		last[k] = s.Sequence
	}
	if !sorted {
		slices.SortStableFunc(order, func(a, b int) int { return sends[a].Sequence - sends[b].Sequence })
	}
	return order
}

// session is one life of a process, in which what it does follows each other.
type session struct {
	name    string
	number  int  // of a Read's session
	reading bool // it is a Read's consumer; a producer of the same name is another
	final   bool
}

// sessionOf names the session of operation i.
func sessionOf(h *History, ops []Op, i int) session {
	if i < len(h.Ops) {
		return session{name: ops[i].Process, final: ops[i].Final}
	}
	if j := i - len(h.Ops) - len(h.Sends); j >= 0 {
		return session{ops[i].Process, h.Reads[j].Session, true, ops[i].Final}
	}
	return session{name: ops[i].Process}
}
