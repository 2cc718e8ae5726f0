package narrow

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
)

// TestWhoWasReplacedTellsNothingOld: a leader that was paused or cut off, and replaced
// meanwhile, tells no old end, calls no position out of range and gives no old committed
// offset; nor does a leader that has just begun.
func TestWhoWasReplacedTellsNothingOld(t *testing.T) {
	world(t, nil, func(x *narrow) {
		stop := make(chan struct{})
		id := x.topicID()
		x.id = id
		running := []<-chan error{
			x.produce("a", topic, 100, 30*time.Millisecond, stop),
			x.commit(stop),
			x.watchTerms(stop),
			x.asking("ends", 30*time.Millisecond, stop, x.askEnds),
			x.asking("fetcher", 20*time.Millisecond, stop, func(b *kgo.Broker, n int) { x.askFetch(b, id, n) }),
			x.asking("group", 30*time.Millisecond, stop, func(b *kgo.Broker, _ int) { x.askCommitted(b, id) }),
		}
		x.faults(25*time.Second, func(f *faults) {
			f.wait(100*time.Millisecond, 1500*time.Millisecond)
			switch f.rng.IntN(4) {
			case 0: // who begins to lead takes long to begin
				f.link(simtest.Slow, 500*time.Millisecond, 2*time.Second)
			case 1:
				f.late(6, f.between(time.Second, 3*time.Second), 0.3)
			case 2: // clients still reach a leader that the other nodes replace
				f.apart(f.node(), f.between(time.Second, 3*time.Second))
				f.wait(time.Second, 3*time.Second)
				return
			}
			verb := []simtest.Verb{simtest.Pause, simtest.Pause, simtest.Isolate, simtest.Kill}[f.rng.IntN(4)]
			name := f.node()
			length := f.hit(verb, name, 300*time.Millisecond, 3*time.Second)
			if f.one(3) { // and cut off when it wakes: nobody tells it
				f.at += length - 10*time.Millisecond
				f.hit(simtest.Isolate, name, 100*time.Millisecond, time.Second)
				return
			}
			if f.one(2) {
				f.at += length
			}
		})
		time.Sleep(3 * time.Second)
		close(stop)
		x.settled(running...)
		x.readAll(topic)
		x.epochsRise()
		x.epochEnds(x.epochs())
		x.replicas()
	}, "consensus/leadership-told-late", "consensus/apply-late")
}
