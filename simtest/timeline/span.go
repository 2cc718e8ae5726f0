package timeline

import (
	"strings"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// A Span is something that lasted, on the lane of one process.
type Span struct {
	Lane  int    `json:"lane"`
	Row   int    `json:"row"` // spans of one row do not touch
	From  int64  `json:"from"`
	Until int64  `json:"until"`
	Kind  string `json:"kind"` // down, paused, network, disk, clock
	Label string `json:"label"`
}

// Kinds of spans.
const (
	down    = "down"
	paused  = "paused"
	network = "network"
	disk    = "disk"
	clock   = "clock"
)

// lasting are the verbs of a plan that last for their length, by the kind of their
// span. What processes suffer is told by the events themselves; reset, rot and wipe
// are moments.
var lasting = map[string]string{
	"isolate": network, "cut": network, "flap": network, "clog": network, "slow": network, "lossy": network,
	"refuse": network, "hang": network,
	"slowdisk": disk, "stuckdisk": disk, "fulldisk": disk, "syncerror": disk, "readerror": disk, "lie": disk,
	"miswrite": disk, "misread": disk,
	"skew": clock,
}

// spans finds what lasted, in the order in which it began; until is the world's end.
func spans(events []trace.Event, l *lanes, until int64) []Span {
	s := &spanner{lanes: l, until: until, open: map[[2]string]int{}, rows: map[int][]int64{}}
	for _, e := range events {
		s.event(e)
	}
	kept := s.list[:0]
	for _, x := range s.list {
		if x.From < until { // every process is killed at the end
			x.Row = s.row(x)
			kept = append(kept, x)
		}
	}
	return kept
}

// spanner goes through the events once.
type spanner struct {
	lanes *lanes
	until int64
	list  []Span
	open  map[[2]string]int // (process, kind) to its place in list
	rows  map[int][]int64   // by lane: until when each row is taken
}

func (s *spanner) event(e trace.Event) {
	process := e.Where
	switch {
	case e.Kind == trace.World && strings.HasPrefix(e.What, "started as "):
		s.end(process, down, e)
	case e.Kind != trace.Fault:
	case e.Where == "plan":
		s.planned(e)
	case strings.HasPrefix(e.What, "killed with "):
		s.end(process, paused, e)
		label := "killed"
		if strings.HasSuffix(e.What, "power lost: true") {
			label = "power lost"
		}
		s.begin(process, down, label, e)
	case strings.HasPrefix(e.What, "panic: "):
		s.begin(process, down, "panicked", e)
	case e.What == "paused":
		s.begin(process, paused, "paused", e)
	case strings.HasPrefix(e.What, "resumed, "):
		s.end(process, paused, e)
	}
}

// planned reads a line of the plan: TIME VERB WHERE for LENGTH amount NUMBER.
func (s *spanner) planned(e trace.Event) {
	w := strings.Fields(e.What)
	if len(w) != 7 || lasting[w[1]] == "" {
		return
	}
	length, err := time.ParseDuration(w[4])
	if err != nil {
		return
	}
	from, to := s.lanes.of(w[2])
	label := w[1]
	if w[1] == "lossy" { // all links, whatever process the line names
		from, to = 0, -1
	}
	if to >= 0 {
		label += " " + w[2]
	}
	span := Span{Lane: from, From: int64(e.At), Until: min(s.until, int64(e.At+length)), Kind: lasting[w[1]], Label: label}
	s.list = append(s.list, span)
	if to >= 0 {
		span.Lane = to
		s.list = append(s.list, span)
	}
}

// begin opens a span that lasts until end is called, or to the end of the world.
func (s *spanner) begin(process, kind, label string, e trace.Event) {
	lane, known := s.lanes.byID[process]
	if _, already := s.open[[2]string{process, kind}]; already || !known {
		return
	}
	s.open[[2]string{process, kind}] = len(s.list)
	s.list = append(s.list, Span{Lane: lane, From: int64(e.At), Until: s.until, Kind: kind, Label: label})
}

func (s *spanner) end(process, kind string, e trace.Event) {
	key := [2]string{process, kind}
	if at, ok := s.open[key]; ok {
		s.list[at].Until = int64(e.At)
		delete(s.open, key)
	}
}

// row is the first of the lane's rows that is free. Spans of processes cover the
// whole lane and need none.
func (s *spanner) row(x Span) int {
	if x.Kind == down || x.Kind == paused {
		return 0
	}
	taken := s.rows[x.Lane]
	row := 0
	for row < len(taken) && taken[row] > x.From {
		row++
	}
	if row == len(taken) {
		taken = append(taken, 0)
	}
	taken[row] = x.Until
	s.rows[x.Lane] = taken
	s.lanes.list[x.Lane].Rows = max(s.lanes.list[x.Lane].Rows, row+1)
	return row
}
