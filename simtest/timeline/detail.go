package timeline

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// A Detail is one event that is shown by itself.
type Detail struct {
	At        int64
	Lane, To  int // To is -1 but for messages
	Kind      string
	Text      string
	Concerned bool // of a record that a violation names
}

// acts is the kind of a place in the code that acted because the simulator chose so;
// lost and doubled are messages with that fate. The other kinds are the trace's.
const (
	acts     = "act"
	lost     = "lost"
	doubled  = "doubled"
	violated = "violation"
)

// MarshalJSON makes it an array: there are many.
func (d Detail) MarshalJSON() ([]byte, error) {
	concerned := 0
	if d.Concerned {
		concerned = 1
	}
	return json.Marshal([]any{d.At, d.Lane, d.To, d.Kind, d.Text, concerned})
}

// detail counts every event and chooses those that are shown by themselves: faults,
// processes, violations and the records concerned before all others; of what clients
// saw as much as half of the rest, of messages and disks what then has room, the
// nearest to the first violation.
func (p *Page) detail(events []trace.Event, l *lanes, concerned map[int]bool) {
	var first, clients, frames []int
	for at, e := range events {
		lane, _ := l.of(e.Where)
		l.count(e, lane, p.Until)
		switch {
		case concerned[at], e.Kind == trace.World, e.Kind == trace.Fault && !isAct(e):
			first = append(first, at)
		case e.Kind == trace.Net, e.Kind == trace.Disk:
			frames = append(frames, at)
		default:
			clients = append(clients, at)
		}
	}
	middle := p.middle()
	first = nearest(events, first, middle, detailsMax)
	clients = nearest(events, clients, middle, (detailsMax-len(first))/2)
	frames = nearest(events, frames, middle, detailsMax-len(first)-len(clients))
	if len(frames) > 0 {
		p.Single = [2]int64{int64(events[frames[0]].At), int64(events[frames[len(frames)-1]].At)}
	}
	chosen := slices.Concat(first, clients, frames)
	slices.Sort(chosen)
	p.Details = make([]Detail, 0, len(chosen))
	for _, at := range chosen {
		p.Details = append(p.Details, detailOf(events[at], l, concerned[at]))
	}
}

// nearest keeps at most n of the places in events, those nearest in time to a moment,
// in their order.
func nearest(events []trace.Event, places []int, moment time.Duration, n int) []int {
	for drop := len(places) - n; drop > 0; drop-- {
		// Places are in order of time: the farthest is at one of the ends.
		if moment-events[places[0]].At > events[places[len(places)-1]].At-moment {
			places = places[1:]
		} else {
			places = places[:len(places)-1]
		}
	}
	return places
}

func detailOf(e trace.Event, l *lanes, concerned bool) Detail {
	d := Detail{At: int64(e.At), Kind: e.Kind, Text: cut(e.What), Concerned: concerned}
	d.Lane, d.To = l.of(e.Where)
	switch {
	case isAct(e):
		d.Kind, d.Text = acts, strings.TrimPrefix(d.Text, "acts: ")
	case e.Kind == trace.World && strings.HasPrefix(e.What, verdict):
		d.Kind, d.Text = violated, strings.TrimPrefix(d.Text, verdict)
	case e.Kind == trace.Net && (strings.HasSuffix(e.What, ": lost") || strings.HasSuffix(e.What, ": cut off")):
		d.Kind = lost
	case e.Kind == trace.Net && strings.HasSuffix(e.What, ": doubled"):
		d.Kind = doubled
	}
	if e.Kind != trace.Net && d.To >= 0 || d.Lane == 0 {
		d.Text = e.Where + ": " + d.Text
	}
	return d
}

func isAct(e trace.Event) bool {
	return e.Kind == trace.Fault && strings.HasPrefix(e.What, "acts: ")
}
