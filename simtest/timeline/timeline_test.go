package timeline

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest/result"
	"github.com/tallymq/tallymq/simtest/trace"
)

// world is a short trace: n2 loses power while a link is cut, p1's record is lost.
func world() []trace.Event {
	var events []trace.Event
	add := func(ms int, kind, where, what string) {
		events = append(events, trace.Event{Number: uint64(len(events)), At: time.Duration(ms) * time.Millisecond, Kind: kind, Where: where, What: what})
	}
	for _, name := range []string{"n1", "n2", "p1"} {
		add(0, trace.World, name, "started as 2")
	}
	add(1, trace.Disk, "n2", "sync /data")
	add(1, trace.Disk, "n1", "sync /data")
	add(10, trace.Client, "p1", "p1-7: offset 3, <nil>")
	add(20, trace.Fault, "plan", "20ms cut n1>n2 for 100ms amount 0.5")
	add(30, trace.Fault, "plan", "30ms slow n1>p1 for 10ms amount 0.5")
	add(40, trace.Fault, "plan", "40ms lossy n2 for 1h0m0s amount 0.5")
	add(50, trace.Fault, "n2", "paused")
	add(60, trace.Fault, "n2", "killed with 9 goroutines, power lost: true")
	add(80, trace.World, "n2", "started as 5")
	add(90, trace.Fault, "n1", "acts: journal/roll-early")
	add(95, trace.Net, "n1>n2", "raft 1 messages 64 bytes ff: lost")
	add(100, trace.Fault, everything, "net healed")
	add(200, trace.World, "checker", "VIOLATION: lost-write in payments/0: p1-7 was acknowledged </script> and is gone")
	add(200, trace.Fault, "n1", "killed with 9 goroutines, power lost: false")
	add(200, trace.World, "end", "1 turns, schedule 0")
	return events
}

func TestThePageOfAWorld(t *testing.T) {
	p, err := New(world(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range p.Lanes {
		names = append(names, fmt.Sprintf("%s %v %d", l.Name, l.Node, l.Rows))
	}
	if got := strings.Join(names, ", "); got != "all false 1, n1 true 2, n2 true 1, p1 false 1" {
		t.Errorf("lanes: %s", got)
	}
	var spans []string
	for _, s := range p.Spans {
		spans = append(spans, fmt.Sprintf("%s row %d %v-%v %s %s", p.Lanes[s.Lane].Name, s.Row, time.Duration(s.From), time.Duration(s.Until), s.Kind, s.Label))
	}
	want := []string{
		"n1 row 0 20ms-120ms network cut n1>n2", "n2 row 0 20ms-120ms network cut n1>n2",
		"n1 row 1 30ms-40ms network slow n1>p1", "p1 row 0 30ms-40ms network slow n1>p1",
		"all row 0 40ms-200ms network lossy",
		"n2 row 0 50ms-60ms paused paused", "n2 row 0 60ms-80ms down power lost",
	}
	if got := strings.Join(spans, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("spans:\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if p.Quiet != int64(100*time.Millisecond) {
		t.Errorf("quiet at %v", time.Duration(p.Quiet))
	}
	v := p.Violations[0]
	if p.Violated != 1 || v.Anomaly != "lost-write" || v.Where != "payments/0" || v.Around != int64(10*time.Millisecond) {
		t.Errorf("%+v", v)
	}
}

// A violation that happens to all records, in a world with more events than a page
// shows: faults and the records concerned stay, and the page stays small.
func TestALongWorldIsCounted(t *testing.T) {
	events := world()[:17]
	checker := events[15]
	events = events[:15]
	for i := range 5 * detailsMax {
		kind := []string{trace.Net, trace.Disk, trace.Client}[i%3]
		events = append(events, trace.Event{At: time.Second + time.Duration(i)*time.Millisecond, Kind: kind, Where: "n1", What: "x"})
	}
	last := events[len(events)-1].At
	events = append(events, trace.Event{At: last, Kind: trace.Fault, Where: "n1", What: "net cut"})
	checker.At = last
	events = append(events, checker)
	r := &result.Result{World: "TestIt", Seed: 1 << 63, Violations: []result.Violation{
		{Anomaly: "lost-write", Where: "payments/0", Text: "p1-7 is gone\nand more lines", AtNS: int64(last)}}}
	p, err := New(events, r, "again")
	if err != nil {
		t.Fatal(err)
	}
	faults, concerned, counted := 0, 0, 0
	for i, d := range p.Details {
		if d.Kind == trace.Fault {
			faults++
		}
		if d.Concerned {
			concerned++
		}
		if i > 0 && d.At < p.Details[i-1].At {
			t.Fatal("details out of order")
		}
	}
	for _, l := range p.Lanes {
		for i := range timeSlices {
			counted += l.Client[i] + l.Net[i] + l.Disk[i]
		}
	}
	if len(p.Details) != detailsMax || faults != 7 || concerned != 1 || counted != 5*detailsMax+4 {
		t.Errorf("%d details, %d faults, %d concerned, %d counted", len(p.Details), faults, concerned, counted)
	}
	if p.Seed != "9223372036854775808" || p.Violations[0].Text != "p1-7 is gone" {
		t.Errorf("%s %q", p.Seed, p.Violations[0].Text)
	}
	if p.Single[1] <= p.Single[0] {
		t.Errorf("single events %v", p.Single)
	}
}

func TestThePageIsOneFile(t *testing.T) {
	var files [2]bytes.Buffer
	for i := range files {
		p, err := New(world(), nil, "tallymq sim run --seed 1")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Write(&files[i]); err != nil {
			t.Fatal(err)
		}
	}
	page := files[0].String()
	if page != files[1].String() {
		t.Error("the same world gives two pages")
	}
	if strings.Count(page, "</script>") != 1 || strings.Contains(page, dataMark) {
		t.Error("a text of the world ends the script, or the data is missing")
	}
	for _, outside := range []string{"http://", "https://", "src=", "@import", "fetch("} {
		if strings.Contains(page, outside) {
			t.Errorf("the page asks for %q", outside)
		}
	}
	if _, err := New(nil, nil, ""); err == nil {
		t.Error("a trace without events is drawn")
	}
}
