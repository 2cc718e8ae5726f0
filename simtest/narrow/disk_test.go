package narrow

import (
	"testing"
	"time"

	"github.com/tallymq/tallymq/ops/config"
	"github.com/tallymq/tallymq/simtest"
)

// forgetful has next to no cache, so that what is read comes from the disk.
func forgetful(c *config.Config) { c.JournalCacheBytes = 64 << 10 }

// quorums lets one node be the only one, beside one that will be hit, that has the latest
// records, and then leaves the two others together.
func quorums(f *faults, hit func(name string)) {
	o := f.order()
	behind, damaged, has := o[0], o[1], o[2]
	f.wait(200*time.Millisecond, 2*time.Second)
	away := f.hit(simtest.Isolate, behind, 1500*time.Millisecond, 3*time.Second)
	f.at += away - f.between(100*time.Millisecond, 600*time.Millisecond)
	hit(damaged)
	f.wait(0, 100*time.Millisecond)
	f.at += f.hit(simtest.Isolate, has, 2*time.Second, 4*time.Second)
	f.wait(2*time.Second, 4*time.Second)
}

// TestADriveIsReplaced: a node that comes back with an empty disk promised things that it
// does not remember; it is no witness for anything.
func TestADriveIsReplaced(t *testing.T) {
	world(t, nil, func(x *narrow) {
		x.damaged = true
		stop := make(chan struct{})
		a := x.produce("a", topic, 100, 30*time.Millisecond, stop)
		x.faults(20*time.Second, func(f *faults) {
			quorums(f, func(name string) {
				verb := simtest.Power
				if f.rotten == "" { // only one: two empty drives are no minority
					f.rotten, verb = name, simtest.Wipe
				}
				f.at += f.hit(verb, name, 50*time.Millisecond, 300*time.Millisecond)
			})
		})
		time.Sleep(10 * time.Second)
		close(stop)
		x.settled(a)
		x.readAll(topic)
		x.replicas()
	})
}

// TestAJournalRots: what was synced and cannot be read is damage, found and repaired; it
// is neither served nor taken for the end of the log.
func TestAJournalRots(t *testing.T) {
	world(t, forgetful, func(x *narrow) {
		x.damaged = true
		stop := make(chan struct{})
		a, b := x.produce("a", topic, 2000, 60*time.Millisecond, stop), x.produce("b", topic, 200, 60*time.Millisecond, stop)
		reading := make(chan struct{})
		go func() {
			defer close(reading)
			for !stopped(stop, 2*time.Second) {
				x.read(topic, false)
			}
		}()
		x.faults(20*time.Second, func(f *faults) {
			if f.at == 0 {
				f.rotten = f.node() // the disk of one node only: a minority's
			}
			rot := func(string) {
				for range 1 + f.rng.IntN(8) {
					f.hit(simtest.Rot, f.rotten, 0, 0)
					f.drawn[len(f.drawn)-1].B = "journal"
				}
				if f.one(2) {
					f.at += f.hit(simtest.Power, f.rotten, 20*time.Millisecond, 200*time.Millisecond)
				}
			}
			if f.one(2) {
				quorums(f, rot)
				return
			}
			f.wait(500*time.Millisecond, 3*time.Second)
			rot("")
		})
		time.Sleep(5 * time.Second)
		close(stop)
		<-reading
		x.settled(a, b)
		x.readAll(topic)
		x.replicas()
	})
}
