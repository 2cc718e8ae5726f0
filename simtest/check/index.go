package check

import (
	"maps"
	"slices"
)

// index is the log of each partition as far as clients have seen it.
type index struct {
	logs   map[string]*log
	sent   map[string]*Send // by value
	places map[string][]place
	read   map[string]bool // values that some consumer was given
}

// place is where a value was seen.
type place struct {
	partition string
	offset    int64
}

// log is one partition.
type log struct {
	values map[int64][]string // all values seen at an offset
	rank   map[int64]int      // of each offset that holds something
	bound  int64              // highest offset that a consumer was given, -1 for none
	final  map[int64]string   // what the final reading found
}

func newIndex(h *History) *index {
	x := &index{logs: map[string]*log{}, sent: map[string]*Send{}, places: map[string][]place{}, read: map[string]bool{}}
	for i := range h.Sends {
		s := &h.Sends[i]
		x.sent[s.Value] = s
		if s.Outcome == OK && s.Offset >= 0 {
			x.add(s.Partition, s.Offset, s.Value)
		}
	}
	for _, r := range h.Reads {
		x.add(r.Partition, r.Offset, r.Value)
		x.read[r.Value] = true
		l := x.log(r.Partition)
		l.bound = max(l.bound, r.Offset)
		if r.Final {
			l.final[r.Offset] = r.Value
		}
	}
	for _, name := range h.Drained {
		x.log(name)
	}
	for _, l := range x.logs {
		for i, offset := range slices.Sorted(maps.Keys(l.values)) {
			l.rank[offset] = i
		}
	}
	return x
}

func (x *index) log(partition string) *log {
	l := x.logs[partition]
	if l == nil {
		l = &log{values: map[int64][]string{}, rank: map[int64]int{}, bound: -1, final: map[int64]string{}}
		x.logs[partition] = l
	}
	return l
}

func (x *index) add(partition string, offset int64, value string) {
	l := x.log(partition)
	if !slices.Contains(l.values[offset], value) {
		l.values[offset] = append(l.values[offset], value)
	}
	if p := (place{partition, offset}); !slices.Contains(x.places[value], p) {
		x.places[value] = append(x.places[value], p)
	}
}
