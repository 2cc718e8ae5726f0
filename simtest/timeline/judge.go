package timeline

import (
	"regexp"
	"strings"

	"github.com/tallymq/tallymq/simtest/result"
	"github.com/tallymq/tallymq/simtest/trace"
)

// record is how the clients of worlds name a record: the producer's name and a number.
var record = regexp.MustCompile(`[A-Za-z]+[0-9]*-[0-9]+`)

// word is what the name of a process may be.
var word = regexp.MustCompile(`[A-Za-z][A-Za-z0-9]*`)

// verdict is how the trace tells a violation.
const verdict = "VIOLATION: "

// judge lists the violations and returns the places in events of the client's events
// that concern a record which one of them names.
func (p *Page) judge(events []trace.Event, l *lanes, r *result.Result) map[int]bool {
	p.Violations = violationsOf(events, r)
	p.Violated = len(p.Violations)
	p.Violations = p.Violations[:min(p.Violated, violationsMax)]
	named := map[string][]int{} // record to the violations that name it
	for i := range p.Violations {
		v := &p.Violations[i]
		v.Around, v.Lanes = v.At, []int{}
		v.Text = cut(v.Text)
		for _, name := range record.FindAllString(v.Text, -1) {
			named[name] = append(named[name], i)
		}
		seen := map[int]bool{}
		for _, name := range word.FindAllString(v.Where+" "+v.Text, -1) {
			if lane, ok := l.byID[name]; ok && lane > 0 && !seen[lane] {
				seen[lane] = true
				v.Lanes = append(v.Lanes, lane)
			}
		}
	}
	concerned := map[int]bool{}
	for at, e := range events {
		if e.Kind != trace.Client {
			continue
		}
		for _, name := range record.FindAllString(e.What, -1) {
			for _, i := range named[name] {
				concerned[at] = true
				p.Violations[i].Around = min(p.Violations[i].Around, int64(e.At))
			}
		}
	}
	return concerned
}

// violationsOf takes them from the result, or, of a process that died without one,
// from the trace.
func violationsOf(events []trace.Event, r *result.Result) []Violation {
	all := []Violation{}
	if r != nil {
		for _, v := range r.Violations {
			all = append(all, Violation{At: v.AtNS, Anomaly: v.Anomaly, Where: v.Where, Text: v.Text})
		}
		return all
	}
	for _, e := range events {
		if text, ok := strings.CutPrefix(e.What, verdict); ok && e.Kind == trace.World {
			kind, rest, _ := strings.Cut(text, ": ")
			kind, where, _ := strings.Cut(kind, " in ")
			all = append(all, Violation{At: int64(e.At), Anomaly: kind, Where: where, Text: rest})
		}
	}
	return all
}

// cut bounds a text.
func cut(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > textBytesMax {
		s = strings.ToValidUTF8(s[:textBytesMax], "") + "…"
	}
	return s
}
