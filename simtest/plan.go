package simtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Verb is one kind of fault.
type Verb string

// The verbs of a plan. Those that corrupt hit one process per plan only.
const (
	Kill      Verb = "kill"      // kill -9, started again after the length
	Power     Verb = "power"     // loss of power, started again after the length
	Pause     Verb = "pause"     // all goroutines stop for the length
	Skew      Verb = "skew"      // the wall clock is wrong by the amount (seconds) for the length
	Isolate   Verb = "isolate"   // all links from and to it are cut
	Cut       Verb = "cut"       // one direction of one link is cut
	Flap      Verb = "flap"      // a link is cut and healed many times
	Clog      Verb = "clog"      // one direction holds everything back, then lets it all go
	Slow      Verb = "slow"      // one direction is slow: the amount is its mean delay in seconds
	Late      Verb = "late"      // Raft messages of one direction come late, in any order: the amount is the mean delay in seconds
	Lossy     Verb = "lossy"     // all links lose, double and reorder Raft messages
	Reset     Verb = "reset"     // open streams between two are reset at any byte
	Refuse    Verb = "refuse"    // dials to it are refused
	Hang      Verb = "hang"      // dials to it hang
	SlowDisk  Verb = "slowdisk"  // syncs take long: the amount is the mean in seconds
	StuckDisk Verb = "stuckdisk" // syncs do not return
	FullDisk  Verb = "fulldisk"  // writes that need room fail
	SyncError Verb = "syncerror" // a sync fails and what it was to save is dropped
	ReadError Verb = "readerror" // reads fail
	Lie       Verb = "lie"       // syncs do nothing and say yes; then power is lost
	Rot       Verb = "rot"       // bits of durable content flip, in files whose path contains B
	MisWrite  Verb = "miswrite"  // writes land elsewhere
	MisRead   Verb = "misread"   // reads come from elsewhere
	Wipe      Verb = "wipe"      // the drive is replaced by an empty one while the node is down for the length

	Away       Verb = "away"       // kill, and it comes back only when the plan ends
	KillAll    Verb = "killall"    // kill all nodes at once, started again after the length
	PowerAll   Verb = "powerall"   // power is lost everywhere at once
	Rolling    Verb = "rolling"    // kill one node after the other, each down for a share of the length
	Swap       Verb = "swap"       // two machines lose power and start with each other's disks for the length
	KillClient Verb = "killclient" // kill a client, started again after the length
)

// Verbs that a correct system of three survives with safety and liveness, and
// those that need repair of a damaged disk.
var (
	ProcessVerbs = []Verb{Kill, Power, Pause, Skew}
	NetworkVerbs = []Verb{Isolate, Cut, Flap, Clog, Slow, Lossy, Reset, Refuse, Hang}
	DiskVerbs    = []Verb{SlowDisk, StuckDisk}
	DamageVerbs  = []Verb{FullDisk, SyncError, ReadError, Rot, MisWrite, MisRead}
	CrowdVerbs   = []Verb{Away, KillAll, PowerAll, Rolling, KillClient}
)

// A Fault is one line of a plan.
type Fault struct {
	At     time.Duration // since the plan began
	Verb   Verb
	A, B   string // a process; of a link the other one; of a disk what the paths contain that are hit
	For    time.Duration
	Amount float64
}

// String is the line that ParsePlan reads.
func (f Fault) String() string {
	where := f.A
	if f.B != "" {
		where += ">" + f.B
	}
	return fmt.Sprintf("%v %s %s for %v amount %g", f.At, f.Verb, where, f.For, f.Amount)
}

// A Plan is what goes wrong in a world, in order of time, and what else of it was
// drawn.
type Plan struct {
	Settings []Setting
	Faults   []Fault
	Quiet    time.Duration // when everything is healed and started
}

// Setting is the value of a setting, if the plan has it.
func (p Plan) Setting(name string) (value string, ok bool) {
	for _, s := range p.Settings {
		if s.Name == name {
			return s.Value, true
		}
	}
	return "", false
}

// String is the whole plan: settings, then one fault a line, then quiet.
func (p Plan) String() string {
	var b strings.Builder
	for _, s := range p.Settings {
		fmt.Fprintf(&b, "set %s %s\n", s.Name, s.Value)
	}
	for _, f := range p.Faults {
		fmt.Fprintln(&b, f)
	}
	fmt.Fprintf(&b, "%v quiet\n", p.Quiet)
	return b.String()
}

// ParsePlan reads what String wrote.
func ParsePlan(text string) (Plan, error) {
	var p Plan
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		w := strings.Fields(line)
		fail := func(err error) (Plan, error) { return Plan{}, fmt.Errorf("plan line %d: %q: %w", i+1, line, err) }
		if len(w) == 0 || strings.HasPrefix(w[0], "#") {
			continue
		}
		if w[0] == "set" {
			if len(w) != 3 {
				return fail(fmt.Errorf("want: set NAME VALUE"))
			}
			p.Settings = append(p.Settings, Setting{w[1], w[2]})
			continue
		}
		at, err := time.ParseDuration(w[0])
		if err != nil {
			return fail(err)
		}
		if len(w) == 2 && w[1] == "quiet" {
			p.Quiet = at
			continue
		}
		if len(w) != 7 || w[3] != "for" || w[5] != "amount" {
			return fail(fmt.Errorf("want: TIME VERB WHERE for LENGTH amount NUMBER"))
		}
		f := Fault{At: at, Verb: Verb(w[1])}
		f.A, f.B, _ = strings.Cut(w[2], ">")
		if f.For, err = time.ParseDuration(w[4]); err != nil {
			return fail(err)
		}
		if f.Amount, err = strconv.ParseFloat(w[6], 64); err != nil {
			return fail(err)
		}
		p.Faults = append(p.Faults, f)
	}
	return p, nil
}

// PlanConfig bounds what NewPlan draws.
type PlanConfig struct {
	Nodes   []string      // processes that may be hit
	Clients []string      // processes whose links may be hit
	Mortals []string      // clients that KillClient may hit; those of Supervisor.Keep
	Length  time.Duration // until quiet
	Every   time.Duration // mean time between faults
	Verbs   []Verb        // what may be on at all; the seed draws a subset
	// BrokenMax is how many nodes may be stopped, cut off or without a disk at the same
	// time; beyond the replication's minority only safety can be asked for.
	BrokenMax int
	// AllDamaged lets the disks of all nodes be damaged, not of one only; then, too, only
	// safety can be asked for.
	AllDamaged bool
}

// NewPlan draws a plan.
func NewPlan(rng *rand.Rand, c PlanConfig) Plan {
	on := swarm(rng, c.Verbs)
	plan := Plan{Quiet: c.Length}
	damaged := c.Nodes[rng.IntN(len(c.Nodes))]
	broken := map[string]time.Duration{} // until when
	swapped := time.Duration(0)          // until when
	for at := gap(rng, c.Every); at < c.Length && len(on) > 0; at += gap(rng, c.Every) {
		f := Fault{At: at, Verb: on[rng.IntN(len(on))], A: c.Nodes[rng.IntN(len(c.Nodes))]}
		f.For = min(time.Duration(rng.ExpFloat64()*float64(4*c.Every)), c.Length-at).Round(time.Millisecond)
		if !f.draw(rng, c, damaged) {
			continue
		}
		if f.Verb == Swap {
			if at < swapped { // two at once would not leave each its own
				continue
			}
			swapped = at + f.For + time.Second
		}
		if f.all() || f.Verb == Swap { // whatever is broken, all or too many of them are now
			for _, name := range c.Nodes {
				broken[name] = max(broken[name], at+f.For+2*c.Every)
			}
		} else if f.breaks() {
			if busy(broken, f.A, at) >= c.BrokenMax {
				continue
			}
			broken[f.A] = max(broken[f.A], at+f.For+2*c.Every) // time to come back
		}
		plan.Faults = append(plan.Faults, f)
	}
	return plan
}

// draw fills in what the verb needs, and says whether there is somebody to hit.
func (f *Fault) draw(rng *rand.Rand, c PlanConfig, damaged string) bool {
	switch f.Verb {
	case Swap:
		if len(c.Nodes) < 2 {
			return false
		}
		for f.B = f.A; f.B == f.A; {
			f.B = c.Nodes[rng.IntN(len(c.Nodes))]
		}
	case Cut, Flap, Clog, Slow, Late, Reset:
		all := slices.Concat(c.Nodes, c.Clients)
		for f.B = f.A; f.B == f.A; {
			f.B = all[rng.IntN(len(all))]
		}
		if rng.IntN(2) == 0 {
			f.A, f.B = f.B, f.A
		}
	case Rot, MisWrite, MisRead, SyncError, ReadError, FullDisk, Lie, Wipe:
		if !c.AllDamaged {
			f.A = damaged
		}
	case Away:
		f.For = c.Length - f.At
	case KillAll, PowerAll, Rolling:
		f.A = everybody
	case KillClient:
		if len(c.Mortals) == 0 {
			return false
		}
		f.A = c.Mortals[rng.IntN(len(c.Mortals))]
	}
	f.Amount = float64(1+rng.IntN(1000)) / 1000
	if f.Verb == Skew {
		f.Amount = float64(rng.IntN(7200)-3600) / 10
	}
	return true
}

// everybody stands in a plan where a fault hits all nodes.
const everybody = "nodes"

// all says whether the fault hits all nodes.
func (f *Fault) all() bool { return f.Verb == KillAll || f.Verb == PowerAll || f.Verb == Rolling }

// breaks says whether the fault takes its node away from the others.
func (f *Fault) breaks() bool {
	switch f.Verb {
	case Kill, Power, Pause, Isolate, StuckDisk, FullDisk, SyncError, ReadError, Lie, Rot, MisWrite, MisRead, Wipe, Away:
		return true
	}
	return false
}

// busy counts the other nodes that are broken at a time.
func busy(broken map[string]time.Duration, but string, at time.Duration) int {
	n := 0
	for name, until := range broken {
		if name != but && until > at {
			n++
		}
	}
	return n
}

func gap(rng *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(rng.ExpFloat64() * float64(mean)).Round(time.Millisecond)
}

// swarm draws which verbs are on: half of them on average, never none. Worlds in
// which few kinds of faults happen reach places that worlds with all kinds do not.
func swarm(rng *rand.Rand, verbs []Verb) []Verb {
	var on []Verb
	for len(on) == 0 && len(verbs) > 0 {
		for _, v := range verbs {
			if rng.IntN(2) == 0 {
				on = append(on, v)
			}
		}
	}
	return on
}
