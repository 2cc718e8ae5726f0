package timeline

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/simtest/trace"
)

// everything is where faults of all links at once are told.
const everything = "all"

// A Lane is one process, or the first lane: what happens to all of them.
type Lane struct {
	Name   string `json:"name"`
	Node   bool   `json:"node"` // it has a disk
	Rows   int    `json:"rows"` // of spans that lie over each other
	Client []int  `json:"client"`
	Net    []int  `json:"net"`
	Disk   []int  `json:"disk"` // events in each slice of the world's time
}

// lanes finds a lane by the name of its process.
type lanes struct {
	list []Lane
	byID map[string]int
}

// newLanes lists the processes: nodes first, then the others, each in the order of
// their names with numbers by value.
func newLanes(events []trace.Event) *lanes {
	seen := map[string]bool{} // whether it has a disk
	for _, e := range events {
		switch {
		case e.Kind == trace.World && strings.HasPrefix(e.What, "started as "), e.Kind == trace.Client:
			if !seen[e.Where] {
				seen[e.Where] = false
			}
		case e.Kind == trace.Disk:
			seen[e.Where] = true
		}
	}
	l := &lanes{list: []Lane{{Name: everything}}, byID: map[string]int{everything: 0}}
	for name, node := range seen {
		l.list = append(l.list, Lane{Name: name, Node: node})
	}
	slices.SortFunc(l.list[1:], func(a, b Lane) int {
		if a.Node != b.Node {
			if a.Node {
				return -1
			}
			return 1
		}
		return cmp.Or(len(a.Name)-len(b.Name), strings.Compare(a.Name, b.Name))
	})
	for i := range l.list {
		l.list[i].Client, l.list[i].Net, l.list[i].Disk = make([]int, timeSlices), make([]int, timeSlices), make([]int, timeSlices)
		l.byID[l.list[i].Name] = i
	}
	return l
}

// of finds the lanes of an event's place, which is a process, a link "a>b" or a pair
// "a-b"; from is 0 when it has none of its own, to is -1 where there is no second one.
func (l *lanes) of(where string) (from, to int) {
	if i, ok := l.byID[where]; ok {
		return i, -1
	}
	for _, between := range []string{">", "-"} {
		if a, b, ok := strings.Cut(where, between); ok {
			b, _, _ = strings.Cut(b, ":") // of an address
			i, known := l.byID[a]
			j, both := l.byID[b]
			switch {
			case known && both:
				return i, j
			case known:
				return i, -1
			}
		}
	}
	return 0, -1
}

// count adds an event to its lane's slice of time.
func (l *lanes) count(e trace.Event, lane int, until int64) {
	slice := min(timeSlices-1, int(int64(e.At)*timeSlices/max(1, until)))
	switch e.Kind {
	case trace.Client:
		l.list[lane].Client[slice]++
	case trace.Net:
		l.list[lane].Net[slice]++
	case trace.Disk:
		l.list[lane].Disk[slice]++
	}
}
