package check

import (
	"math"
	"time"
)

// none stands for an operation, event or value that is not there.
const none = int32(-1)

// index is a history with numbers for names, and what follows from it before anybody
// judges: who sent each value, who was given it, and where it is.
type index struct {
	ops       []Op
	session   []int32 // of each operation
	sessions  int32
	committed []bool  // of each operation: it must have committed
	first     []int32 // of each operation: its first event; one more at the end
	events    []event
	values    []value
	logs      []log
	numbers   map[string]int32 // of partitions, which are indexes into logs
}

// event is one micro-operation.
type event struct {
	op, partition, value int32
	poll                 bool
	offset               int64
}

// value is one record's value, which is unique.
type value struct {
	text   string
	sender int32 // the event that sent it
	given  int32 // the first event of an ok operation that was given it at read_committed
	polled int32 // the first event of any operation that was, whatever became of it
	any    int32 // the first event that was given it, even at read_uncommitted
	final  bool  // the final reading has it
	seen   time.Duration
	// The lowest and highest offset in the partition it was sent to, -1 for none,
	// and at how many places it is at all.
	low, high int64
	places    int32
}

func newIndex(h *History) *index {
	x := &index{ops: operations(h), numbers: map[string]int32{}}
	x.enumerate(h)
	x.decide()
	x.place()
	return x
}

// enumerate gives everything its number.
func (x *index) enumerate(h *History) {
	values := make(map[string]int32, len(h.Sends)+len(h.Ops))
	sessions := map[session]int32{}
	x.session, x.first = make([]int32, len(x.ops)), make([]int32, 0, len(x.ops)+1)
	for i := range x.ops {
		o := &x.ops[i]
		s := sessionOf(h, x.ops, i)
		n, ok := sessions[s]
		if !ok {
			n = int32(len(sessions))
			sessions[s] = n
		}
		x.session[i] = n
		x.first = append(x.first, int32(len(x.events)))
		for _, m := range o.Do {
			v, ok := values[m.Value]
			if !ok {
				v = int32(len(x.values))
				values[m.Value] = v
				x.values = append(x.values, value{text: m.Value, sender: none, given: none, polled: none, any: none, seen: math.MaxInt64, low: -1, high: -1})
			}
			x.events = append(x.events, event{int32(i), x.partition(m.Partition), v, m.Poll, m.Offset})
		}
	}
	x.first = append(x.first, int32(len(x.events)))
	x.sessions = int32(len(sessions))
	for _, name := range h.Drained {
		x.partition(name)
	}
	for i := range h.Ends {
		x.partition(h.Ends[i].Partition)
	}
}

// partition numbers a partition.
func (x *index) partition(name string) int32 {
	n, ok := x.numbers[name]
	if !ok {
		n = int32(len(x.logs))
		x.numbers[name] = n
		x.logs = append(x.logs, log{name: name})
	}
	return n
}

// decide finds each value's sender and readers, and which operations must have
// committed: those that are ok, and those of unknown outcome of which an ok poll was
// given a value.
func (x *index) decide() {
	for i := range x.events {
		e := &x.events[i]
		o, v := &x.ops[e.op], &x.values[e.value]
		switch {
		case !e.poll:
			if v.sender == none {
				v.sender = int32(i)
			}
			continue
		case v.any == none:
			v.any = int32(i)
		}
		v.final = v.final || o.Final
		if o.Uncommitted {
			continue
		}
		if v.polled == none {
			v.polled = int32(i)
		}
		if v.given == none && o.Outcome == OK {
			v.given = int32(i)
		}
		if o.timed() {
			v.seen = min(v.seen, o.Return)
		}
	}
	x.committed = make([]bool, len(x.ops))
	for i := range x.ops {
		o := &x.ops[i]
		x.committed[i] = o.Outcome == OK
		for _, e := range x.of(int32(i)) {
			if o.Outcome == Unknown && !e.poll && x.values[e.value].given != none {
				x.committed[i] = true
			}
		}
	}
}

// of returns an operation's events.
func (x *index) of(op int32) []event { return x.events[x.first[op]:x.first[op+1]] }

// mop returns the micro-operation of an event.
func (x *index) mop(i int32) *Mop {
	e := &x.events[i]
	return &x.ops[e.op].Do[i-x.first[e.op]]
}
