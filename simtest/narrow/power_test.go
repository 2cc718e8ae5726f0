package narrow

import (
	"fmt"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest"
)

// TestPowerIsLostEverywhere: whatever was acknowledged is on a majority's disks, so it
// is there when every node lost its power, at the same instant or one after the other
// while a leader was cut off.
func TestPowerIsLostEverywhere(t *testing.T) {
	world(t, small, func(x *narrow) {
		stop := make(chan struct{})
		a, b := x.produce("a", topic, 100, 50*time.Millisecond, stop), x.produce("b", topic, 1000, 60*time.Millisecond, stop)
		x.faults(20*time.Second, func(f *faults) {
			f.wait(300*time.Millisecond, 3*time.Second)
			switch f.rng.IntN(4) {
			case 0:
				f.all(simtest.Power, 50*time.Millisecond, time.Second)
			case 3: // rows that take long to become durable are not durable before
				name := f.node()
				f.hit(simtest.SlowDisk, name, 2*time.Second, 3*time.Second)
				f.drawn[len(f.drawn)-1].B = "rows"
				f.wait(500*time.Millisecond, 2*time.Second)
				f.hit(simtest.Power, name, 50*time.Millisecond, time.Second)
			case 1: // who is cut off has entries that nobody else has
				f.hit(simtest.Isolate, f.node(), time.Second, 3*time.Second)
				f.wait(500*time.Millisecond, 3*time.Second)
				f.all(simtest.Power, 50*time.Millisecond, 500*time.Millisecond)
			case 2:
				f.hit(simtest.Power, f.node(), 50*time.Millisecond, time.Second)
				f.wait(0, 500*time.Millisecond)
				f.hit(simtest.Power, f.node(), 50*time.Millisecond, time.Second)
			}
			f.at += 2 * time.Second // to come back
		})
		close(stop)
		x.settled(a, b)
		x.readAll(topic)
		x.replicas()
	})
}

// TestNewTopicsSurvivePower: a topic that was made is there when power came back, with
// all that was acknowledged in it, whatever nodes remember of the catalog.
func TestNewTopicsSurvivePower(t *testing.T) {
	world(t, small, func(x *narrow) {
		const topics = 4
		stop := make(chan struct{})
		done := make(chan (<-chan error), topics)
		go func() {
			for i := range topics {
				name := fmt.Sprint("new", i)
				x.create(name, partitions)
				done <- x.produce("p", name, 100, 100*time.Millisecond, stop)
				time.Sleep(2 * time.Second)
			}
			close(done)
		}()
		x.faults(15*time.Second, func(f *faults) {
			f.wait(500*time.Millisecond, 4*time.Second)
			verb := []simtest.Verb{simtest.Power, simtest.Kill}[f.rng.IntN(2)]
			if f.one(3) {
				f.hit(verb, f.node(), 50*time.Millisecond, 2*time.Second)
			} else {
				f.all(verb, 50*time.Millisecond, 2*time.Second)
			}
			f.at += 2 * time.Second
		})
		var producers []<-chan error
		for d := range done {
			producers = append(producers, d)
		}
		time.Sleep(5 * time.Second)
		close(stop)
		x.settled(producers...)
		for i := range topics {
			x.readAll(fmt.Sprint("new", i))
		}
		x.replicas()
	})
}
