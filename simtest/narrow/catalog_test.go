package narrow

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/simtest"
)

// made is what nodes said that they had made.
type made struct {
	topics    map[string]bool
	producers map[int64]string
}

// askTopic asks a node for a new topic.
//
//   - internal-error: the node has no word for what happened.
func (x *narrow) askTopic(b *kgo.Broker, m *made, name string) {
	q := kmsg.NewPtrCreateTopicsRequest()
	q.TimeoutMillis = 3000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, 1, -1
	q.Topics = append(q.Topics, t)
	r, ok := ask[*kmsg.CreateTopicsResponse](b, q)
	if !ok || len(r.Topics) != 1 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch err := kerr.ErrorForCode(r.Topics[0].ErrorCode); err {
	case nil:
		m.topics[name] = true
	case kerr.UnknownServerError:
		x.w.Anomaly("internal-error", name, "create topic: %v", unwrap(r.Topics[0].ErrorMessage))
	}
}

func unwrap(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// askProducer asks a node for a producer id.
//
//   - shared-producer-id: an id is given twice.
func (x *narrow) askProducer(b *kgo.Broker, m *made, who string) {
	r, ok := ask[*kmsg.InitProducerIDResponse](b, kmsg.NewPtrInitProducerIDRequest())
	if !ok || r.ErrorCode != 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if was, ok := m.producers[r.ProducerID]; ok {
		x.w.Anomaly("shared-producer-id", "producers", "id %d was given to %s and to %s", r.ProducerID, was, who)
	}
	m.producers[r.ProducerID] = who
}

// found looks for everything that was made.
//
//   - topic-lost: a topic was acknowledged and is not there.
func (x *narrow) found(m *made) {
	x.as("lister", func(cl *kgo.Client) error {
		return insist(func(ctx context.Context) error {
			all, err := kadm.NewClient(cl).ListTopics(ctx)
			if err != nil {
				return err
			}
			for name := range m.topics {
				if _, ok := all[name]; !ok {
					x.w.Anomaly("topic-lost", name, "it was made, and none of %d topics is it", len(all))
				}
			}
			return nil
		})
	})
}

// TestManyAskForTopicsAtOnce: every node passes commands on to the catalog, in its own
// order, each once, though messages between nodes are lost, overtake each other or come
// after their sender has died and come back.
func TestManyAskForTopicsAtOnce(t *testing.T) {
	world(t, small, func(x *narrow) {
		stop := make(chan struct{})
		m := &made{topics: map[string]bool{}, producers: map[int64]string{}}
		running := []<-chan error{
			x.asking("creator", 60*time.Millisecond, stop, func(b *kgo.Broker, n int) {
				if b != nil {
					x.mu.Lock()
					x.asked++
					name := fmt.Sprintf("t%d", x.asked)
					x.mu.Unlock()
					x.askTopic(b, m, name)
				}
			}),
			x.asking("initiator", 100*time.Millisecond, stop, func(b *kgo.Broker, n int) { x.askProducer(b, m, fmt.Sprint("request ", n)) }),
		}
		x.faults(15*time.Second, func(f *faults) {
			f.wait(50*time.Millisecond, time.Second)
			switch f.rng.IntN(4) {
			case 0:
				f.hit(simtest.Lossy, f.node(), time.Second, 4*time.Second)
			case 1: // messages that are late, and a sender that is back before they arrive
				f.link(simtest.Slow, time.Second, 4*time.Second)
				f.wait(100*time.Millisecond, time.Second)
				f.hit(simtest.Kill, f.drawn[len(f.drawn)-1].A, time.Millisecond, 20*time.Millisecond)
			case 2:
				f.link(simtest.Clog, 300*time.Millisecond, 2*time.Second)
				if f.one(2) {
					f.wait(50*time.Millisecond, 300*time.Millisecond)
					f.hit(simtest.Kill, f.drawn[len(f.drawn)-1].A, time.Millisecond, 20*time.Millisecond)
				}
			case 3:
				f.hit(simtest.Kill, f.node(), time.Millisecond, 500*time.Millisecond)
			}
		})
		time.Sleep(4 * time.Second)
		close(stop)
		x.settled(running...)
		x.w.Count("topics", len(m.topics))
		x.w.Count("producers", len(m.producers))
		x.found(m)
		x.replicas()
	})
}

// TestCommandsComeLate: what nodes pass on to the leader of the catalog comes late and in
// another order, also after its sender has died and come back under a new incarnation.
func TestCommandsComeLate(t *testing.T) {
	world(t, small, func(x *narrow) {
		stop := make(chan struct{})
		m := &made{topics: map[string]bool{}, producers: map[int64]string{}}
		every, burst := x.w.Duration("every", 100*time.Millisecond, 600*time.Millisecond), x.w.Int("burst", 1, 6)
		creator := x.asking("creator", every, stop, func(b *kgo.Broker, n int) {
			var wg sync.WaitGroup
			for range burst {
				x.mu.Lock()
				x.asked++
				name := fmt.Sprintf("t%d", x.asked)
				x.mu.Unlock()
				wg.Go(func() { x.askTopic(b, m, name) })
			}
			wg.Wait()
		})
		x.faults(15*time.Second, func(f *faults) {
			f.wait(100*time.Millisecond, 800*time.Millisecond)
			length := f.between(time.Second, 4*time.Second)
			f.late(1+f.rng.IntN(6), length, 0.5)
			name, end := f.node(), f.at+length
			for f.at < end {
				f.wait(100*time.Millisecond, 900*time.Millisecond)
				if f.one(2) {
					f.hit(simtest.Kill, name, time.Millisecond, 20*time.Millisecond)
				}
			}
		})
		time.Sleep(4 * time.Second)
		close(stop)
		x.settled(creator)
		x.w.Count("topics", len(m.topics))
		x.found(m)
		x.replicas()
	}, "consensus/entry-sealed-early", "consensus/entry-lost")
}

// TestWhoWasCutOffForgetsNoTopic: a node that does not hear the catalog's leader leads
// partitions of topics that it has never heard of. It keeps them.
func TestWhoWasCutOffForgetsNoTopic(t *testing.T) {
	world(t, small, func(x *narrow) {
		stop := make(chan struct{})
		var running []<-chan error
		var names []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; i < 8 && !stopped(stop, 1500*time.Millisecond); i++ {
				name := fmt.Sprint("new", i)
				x.create(name, partitions)
				names = append(names, name)
				running = append(running, x.produce("p", name, 100, 150*time.Millisecond, stop))
			}
		}()
		x.faults(20*time.Second, func(f *faults) {
			f.wait(100*time.Millisecond, 1500*time.Millisecond)
			f.link(simtest.Cut, 2*time.Second, 6*time.Second)
			f.wait(500*time.Millisecond, 3*time.Second)
			if f.one(3) {
				f.hit(simtest.Kill, f.node(), 50*time.Millisecond, 500*time.Millisecond)
			}
		})
		time.Sleep(3 * time.Second)
		close(stop)
		<-done
		x.settled(running...)
		for _, name := range names {
			x.readAll(name)
		}
		x.replicas()
	}, "engine/leadership-handed-over", "engine/follows-late")
}
