package check

import (
	"cmp"
	"slices"
	"sort"
)

// log is one partition as far as clients have seen it.
type log struct {
	name    string
	places  []place // while it is built
	entries []entry // by offset
	below   []int32 // of each entry, and one more: how many committed ones are before it
}

// place is where an event saw a value.
type place struct {
	offset int64
	event  int32
}

// entry is one offset that holds something.
type entry struct {
	offset    int64
	event     int32   // the first that saw its value
	others    []int32 // events that saw other values there
	committed bool    // not only read_uncommitted saw it
	final     int32   // the event of the final reading
}

// place builds the logs: from sends that must have committed and know their offset,
// and from all polls. Whatever becomes of an operation, what it polled is there.
func (x *index) place() {
	for i := range x.events {
		e := &x.events[i]
		if e.offset >= 0 && (e.poll || x.committed[e.op]) {
			l := &x.logs[e.partition]
			l.places = append(l.places, place{e.offset, int32(i)})
		}
	}
	for i := range x.logs {
		x.build(&x.logs[i])
	}
}

// build makes a log's entries.
func (x *index) build(l *log) {
	// The value decides before the event, so that equal ones are neighbours.
	slices.SortFunc(l.places, func(a, b place) int {
		if c := cmp.Compare(a.offset, b.offset); c != 0 {
			return c
		}
		if c := cmp.Compare(x.events[a.event].value, x.events[b.event].value); c != 0 {
			return c
		}
		return cmp.Compare(a.event, b.event)
	})
	before := place{-1, none}
	for _, p := range l.places {
		e := &x.events[p.event]
		fresh := p.offset != before.offset
		if fresh {
			l.entries = append(l.entries, entry{offset: p.offset, event: p.event, final: none})
		}
		n := &l.entries[len(l.entries)-1]
		if fresh || e.value != x.events[before.event].value {
			x.found(e, p.offset)
			if !fresh {
				n.others = append(n.others, p.event)
			}
		}
		n.committed = n.committed || !x.ops[e.op].Uncommitted
		if e.poll && x.ops[e.op].Final {
			n.final = p.event
		}
		before = p
	}
	l.places = nil
	l.below = make([]int32, len(l.entries)+1)
	for i := range l.entries {
		l.below[i+1] = l.below[i]
		if l.entries[i].committed {
			l.below[i+1]++
		}
	}
}

// found notes a new place of a value.
func (x *index) found(e *event, offset int64) {
	v := &x.values[e.value]
	v.places++
	if v.sender != none && x.events[v.sender].partition != e.partition {
		return
	}
	if v.low < 0 || offset < v.low {
		v.low = offset
	}
	v.high = max(v.high, offset)
}

// at returns the index of the first entry at or above an offset.
func (l *log) at(offset int64) int {
	if len(l.entries) > 0 { // most logs are dense
		if i := offset - l.entries[0].offset; i >= 0 && i < int64(len(l.entries)) && l.entries[i].offset == offset {
			return int(i)
		}
	}
	return sort.Search(len(l.entries), func(i int) bool { return l.entries[i].offset >= offset })
}

// between returns the indexes of the entries between two offsets, both excluded.
func (l *log) between(after, before int64) (from, to int) {
	from, to = l.at(after+1), l.at(before)
	return from, max(from, to)
}

// offset is where an event's record is: where the event says, or where its value is
// known to be; -1 when nobody knows.
func (x *index) offset(e *event) int64 {
	if e.poll && e.offset >= 0 {
		return e.offset
	}
	return x.values[e.value].low
}
