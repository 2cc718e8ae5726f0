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
