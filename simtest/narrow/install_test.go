package narrow

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
)

// churn makes, fills and deletes topics until stop is closed: rows come and go.
func (x *narrow) churn(stop <-chan struct{}) <-chan error {
	_, done := x.begin("churner", func(_ *simtest.Process, cl *kgo.Client) error {
		admin := kadm.NewClient(cl)
		for n := 0; !stopped(stop, 200*time.Millisecond); n++ {
			name := fmt.Sprint("churn", n)
			ctx, cancel := timeout(5 * time.Second)
			_, err := admin.CreateTopic(ctx, 2, int16(min(3, len(x.c.Names))), nil, name)
			for range 3 {
				if err == nil {
					err = cl.ProduceSync(ctx, &kgo.Record{Topic: name, Value: []byte(name)}).FirstErr()
				}
			}
			cancel()
			if n >= 2 {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				_, _ = admin.DeleteTopics(ctx, fmt.Sprint("churn", n-2)) // whether it went does not matter
				cancel()
			}
		}
		return nil
	})
	return done
}

// TestAReplicaComesBackBySnapshot: a node that was away for longer than the log is kept
// gets rows and payloads from its peers, all or nothing, though it dies meanwhile.
func TestAReplicaComesBackBySnapshot(t *testing.T) {
	world(t, small, func(x *narrow) {
		stop := make(chan struct{})
		a, c := x.produce("a", topic, 1000, 60*time.Millisecond, stop), x.churn(stop)
		x.faults(20*time.Second, func(f *faults) {
			f.wait(100*time.Millisecond, time.Second)
			name := f.node()
			verb := []simtest.Verb{simtest.Kill, simtest.Power}[f.rng.IntN(2)]
			f.at += f.hit([]simtest.Verb{verb, simtest.Isolate}[f.rng.IntN(2)], name, 2*time.Second, 4*time.Second)
			for range f.rng.IntN(4) { // while it catches up
				f.wait(time.Millisecond, 700*time.Millisecond)
				f.at += f.hit(verb, name, 10*time.Millisecond, 200*time.Millisecond)
			}
			f.wait(time.Second, 2*time.Second)
		})
		time.Sleep(5 * time.Second)
		close(stop)
		x.settled(a, c)
		x.readAll(topic)
		x.replicas()
	})
}
