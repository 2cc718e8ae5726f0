package narrow

import (
	"math/rand/v2"
	"time"

	"github.com/tallymq/tallymq/simtest"
)

// faults draws a plan: what happens from a moment on that only goes forward.
type faults struct {
	rng    *rand.Rand
	nodes  []string
	length time.Duration
	at     time.Duration
	drawn  []simtest.Fault
	rotten string // whose disk is bad, where only one may be
}

// between draws a time.
func (f *faults) between(least, most time.Duration) time.Duration {
	return (least + time.Duration(f.rng.Int64N(int64(most-least)+1))).Round(time.Millisecond)
}

// wait lets time go by.
func (f *faults) wait(least, most time.Duration) { f.at += f.between(least, most) }

// node draws one.
func (f *faults) node() string { return f.nodes[f.rng.IntN(len(f.nodes))] }

// order draws an order of the nodes.
func (f *faults) order() []string {
	var names []string
	for _, i := range f.rng.Perm(len(f.nodes)) {
		names = append(names, f.nodes[i])
	}
	return names
}

// one says yes once in n.
func (f *faults) one(n int) bool { return f.rng.IntN(n) == 0 }

// hit lets a fault begin now. It returns its length.
func (f *faults) hit(verb simtest.Verb, node string, least, most time.Duration) time.Duration {
	length := f.between(least, most)
	f.drawn = append(f.drawn, simtest.Fault{At: f.at, Verb: verb, A: node, For: length, Amount: float64(1+f.rng.IntN(1000)) / 1000})
	return length
}

// link is hit for one direction between two nodes.
func (f *faults) link(verb simtest.Verb, least, most time.Duration) {
	o := f.order()
	f.hit(verb, o[0], least, most)
	f.drawn[len(f.drawn)-1].B = o[1]
}

// late lets Raft messages of all directions between the nodes, or of some, come late.
func (f *faults) late(directions int, length time.Duration, most float64) {
	o := f.order()
	for i, a := range o {
		for j, b := range o {
			if i != j && directions > 0 {
				directions--
				f.drawn = append(f.drawn, simtest.Fault{At: f.at, Verb: simtest.Late, A: a, B: b, For: length, Amount: most * float64(1+f.rng.IntN(1000)) / 1000})
			}
		}
	}
}

// apart cuts a node off from the other nodes, not from clients.
func (f *faults) apart(name string, length time.Duration) {
	for _, other := range f.nodes {
		if other != name {
			f.drawn = append(f.drawn, simtest.Fault{At: f.at, Verb: simtest.Cut, A: name, B: other, For: length, Amount: 1},
				simtest.Fault{At: f.at, Verb: simtest.Cut, A: other, B: name, For: length, Amount: 1})
		}
	}
}

// all hits every node within moments.
func (f *faults) all(verb simtest.Verb, least, most time.Duration) {
	for _, name := range f.order() {
		f.hit(verb, name, least, most)
		f.wait(0, 10*time.Millisecond)
	}
}
