package timeline

import (
	"fmt"
	"time"

	"github.com/tallymq/tallymq/simtest/result"
	"github.com/tallymq/tallymq/simtest/trace"
)

// A Page is what is drawn of one world. Times are nanoseconds since it began.
type Page struct {
	World      string      `json:"world"`
	Seed       string      `json:"seed"` // text: a browser's numbers have 53 bits
	Hash       string      `json:"hash"`
	Again      string      `json:"again"` // the command that repeats the world
	Events     int         `json:"events"`
	Until      int64       `json:"until"` // when the world ended
	Quiet      int64       `json:"quiet"` // when all was healed; -1 when it never was
	Focus      [2]int64    `json:"focus"` // what is shown first
	Lanes      []Lane      `json:"lanes"`
	Spans      []Span      `json:"spans"`
	Details    []Detail    `json:"details"`
	Single     [2]int64    `json:"single"` // between these all messages and disk operations are in Details
	Violations []Violation `json:"violations"`
	Violated   int         `json:"violated"` // how many there were, listed or not
}

// A Violation is one thing that must not be.
type Violation struct {
	At      int64  `json:"at"`
	Anomaly string `json:"anomaly"`
	Where   string `json:"where"`
	Text    string `json:"text"`
	Around  int64  `json:"around"` // when a record it names was first seen; At when none was
	Lanes   []int  `json:"lanes"`  // of the processes it names
}

// New makes the page of a world from its trace and its result, which may be nil.
// again is the command that repeats the world; it may be empty.
func New(events []trace.Event, r *result.Result, again string) (*Page, error) {
	if len(events) == 0 {
		return nil, fmt.Errorf("timeline: the trace has no events")
	}
	p := &Page{Again: again, Events: len(events), Quiet: -1, Until: int64(events[len(events)-1].At)}
	if r != nil {
		p.World, p.Seed, p.Hash = r.World, fmt.Sprint(r.Seed), r.Hash
	}
	for _, e := range events {
		if e.Kind == trace.Fault && e.Where == everything && e.What == "net healed" {
			p.Quiet = int64(e.At)
		}
	}
	names := newLanes(events)
	p.Spans = spans(events, names, p.Until)
	concerned := p.judge(events, names, r)
	p.focus()
	p.detail(events, names, concerned)
	p.Lanes = names.list
	return p, nil
}

// focus chooses what is shown first: where the first violation's records were, or
// all of the world.
func (p *Page) focus() {
	p.Focus = [2]int64{0, p.Until}
	if len(p.Violations) > 0 {
		at := p.Violations[0].Around
		p.Focus = [2]int64{max(0, at-int64(focusSpan)), min(p.Until, at+int64(focusSpan))}
	}
}

// middle is the moment around which single events are shown.
func (p *Page) middle() time.Duration {
	if len(p.Violations) > 0 {
		return time.Duration(p.Violations[0].Around)
	}
	return time.Duration(p.Until / 2)
}
