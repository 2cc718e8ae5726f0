package narrow

import (
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest"
)

// TestNodesDieWhileTheyVote: a term has one leader, though those who voted in it died
// before or after their vote left, and came back at once.
func TestNodesDieWhileTheyVote(t *testing.T) {
	world(t, nil, func(x *narrow) {
		stop := make(chan struct{})
		a := x.produce("a", topic, 100, 50*time.Millisecond, stop)
		watch := x.watchTerms(stop)
		x.faults(20*time.Second, func(f *faults) {
			verb := []simtest.Verb{simtest.Power, simtest.Kill}[f.rng.IntN(2)]
			o := f.order()
			f.hit(simtest.Isolate, o[0], 500*time.Millisecond, time.Second) // perhaps the leader
			f.wait(300*time.Millisecond, 900*time.Millisecond)              // an election begins
			for range 1 + f.rng.IntN(4) {
				f.hit(verb, o[1+f.rng.IntN(2)], time.Millisecond, 30*time.Millisecond)
				f.wait(20*time.Millisecond, 300*time.Millisecond)
			}
			f.wait(200*time.Millisecond, time.Second)
		})
		time.Sleep(3 * time.Second)
		close(stop)
		x.settled(a, watch)
		x.readAll(topic)
		x.replicas()
	})
}

// TestAnElectionTakesLong: votes come as late as a candidate's patience lasts, so there are
// several candidates of one term, and those who vote lose power between two of them.
func TestAnElectionTakesLong(t *testing.T) {
	world(t, nil, func(x *narrow) {
		stop := make(chan struct{})
		a := x.produce("a", topic, 100, 50*time.Millisecond, stop)
		watch := x.watchTerms(stop)
		x.faults(20*time.Second, func(f *faults) {
			f.wait(100*time.Millisecond, 500*time.Millisecond)
			verb := []simtest.Verb{simtest.Power, simtest.Kill}[f.rng.IntN(2)]
			length := f.between(2*time.Second, 5*time.Second)
			f.late(6, length, 0.3)
			end := f.at + length
			f.hit(verb, f.node(), 10*time.Millisecond, time.Second) // perhaps the leader
			for f.at < end {
				f.wait(10*time.Millisecond, 400*time.Millisecond)
				f.hit(verb, f.node(), time.Millisecond, 10*time.Millisecond)
			}
			f.wait(200*time.Millisecond, time.Second)
		})
		time.Sleep(3 * time.Second)
		close(stop)
		x.settled(a, watch)
		x.readAll(topic)
		x.replicas()
	})
}
