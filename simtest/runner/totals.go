package runner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tallymq/tallymq/simtest/point"
)

// Totals are what a campaign came to.
type Totals struct {
	Wanted     int             `json:"worlds_wanted"`
	Worlds     int             `json:"worlds"`
	Twice      int             `json:"run_twice"`
	Failed     int             `json:"failed"`
	Events     uint64          `json:"events"`
	Simulated  time.Duration   `json:"simulated_ns"`
	Computed   time.Duration   `json:"computed_ns"` // real time, summed over processes, second runs left out
	Wall       time.Duration   `json:"wall_ns"`
	Faults     map[string]int  `json:"faults"`
	Operations map[string]int  `json:"operations"`
	Points     *point.Coverage `json:"points"`
	Failures   []*Outcome      `json:"-"`

	began time.Time
}

func newTotals(wanted int) *Totals {
	return &Totals{Wanted: wanted, Faults: map[string]int{}, Operations: map[string]int{},
		Points: &point.Coverage{Points: map[string]point.Reach{}}, began: time.Now()}
}

func (t *Totals) add(o *Outcome) {
	t.Worlds++
	if o.Twin != nil {
		t.Twice++
	}
	if o.Failed() {
		t.Failed++
		t.Failures = append(t.Failures, o)
	}
	r := o.Result
	if r == nil {
		return
	}
	t.Events += r.Events
	t.Simulated += r.Simulated()
	t.Computed += r.Real()
	for name, n := range r.Faults {
		t.Faults[name] += n
	}
	for name, n := range r.Operations {
		t.Operations[name] += n
	}
	if r.Points != nil {
		maps.DeleteFunc(r.Points.Points, func(name string, _ point.Reach) bool { return strings.HasPrefix(name, ownPoints) })
		t.Points.Merge(r.Points)
	}
}

func (t *Totals) end() { t.Wall = time.Since(t.began) }

// Progress is one line.
func (t *Totals) Progress() string {
	return fmt.Sprintf("%d of %d worlds, %d failed, %.1f a second, %v simulated, %.0f times real time each",
		t.Worlds, t.Wanted, t.Failed, float64(t.Worlds)/t.Wall.Seconds(), t.Simulated.Round(time.Second), t.ratio())
}

// ratio is simulated time to the real time of one process.
func (t *Totals) ratio() float64 {
	if t.Computed == 0 {
		return 0
	}
	return float64(t.Simulated) / float64(t.Computed)
}

// String is the whole account: faults, operations, rare points, and what it cost.
func (t *Totals) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "worlds      %d of %d, %d of them twice, %d failed\n", t.Worlds, t.Wanted, t.Twice, t.Failed)
	fmt.Fprintf(&b, "simulated   %v, %d events\n", t.Simulated.Round(time.Second), t.Events)
	fmt.Fprintf(&b, "real time   %v; %.2f worlds a second; a world runs %.0f times as fast as real time\n", t.Wall.Round(time.Second),
		float64(t.Worlds)/max(t.Wall.Seconds(), 0.001), t.ratio())
	counts(&b, "clients    ", t.Operations)
	counts(&b, "faults     ", t.Faults)
	if n := len(t.Points.Points); n > 0 {
		never := t.Points.Never()
		fmt.Fprintf(&b, "points      %d of %d reached\n", n-len(never), n)
		if t.Worlds >= neverFrom {
			list(&b, "  never     ", never)
		}
	}
	return b.String()
}

// counts prints names with numbers, greatest first, in lines of bearable length.
func counts(b *strings.Builder, title string, of map[string]int) {
	names := slices.SortedFunc(maps.Keys(of), func(x, y string) int {
		if of[x] != of[y] {
			return of[y] - of[x]
		}
		return strings.Compare(x, y)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, of[name])
	}
	list(b, title, names)
}

// list prints words in lines of bearable length.
func list(b *strings.Builder, title string, words []string) {
	line := title
	for i, w := range words {
		if len(line)+len(w)+2 > lineBytes {
			fmt.Fprintln(b, line)
			line = strings.Repeat(" ", len(title))
		}
		line += " " + w
		if i < len(words)-1 {
			line += ","
		}
	}
	if len(words) > 0 {
		fmt.Fprintln(b, line)
	}
}
