package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// spread declares queues until there is one on each of so many shards, and gives their names by shard.
func (a *amqp) spread(prefix string, shards int, args ...broker.Argument) []string {
	a.t.Helper()
	names := map[broker.ShardID]string{}
	e := a.QueueSession.(*session).e
	for i := 0; len(names) < shards; i++ {
		name := fmt.Sprintf("%s%d", prefix, i)
		a.declare(name, args...)
		q, err := a.QueueSession.(*session).find(context.Background(), name, "test")
		if err != nil {
			a.t.Fatal(err)
		}
		if names[q.Shard] == "" {
			names[q.Shard] = name
		}
		if i == 100 {
			a.t.Fatalf("queues on %d shards of %d", len(names), len(e.view.Load().Shards()))
		}
	}
	var out []string
	for _, s := range sortedShardsOf(names) {
		out = append(out, names[s])
	}
	return out
}

func sortedShardsOf(m map[broker.ShardID]string) (out []broker.ShardID) {
	for s := range m {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func message(key, body string) *broker.Publish {
	return &broker.Publish{Message: broker.Message{Key: key, Body: []byte(body), Persistent: true}}
}

func settled(o broker.Outcome, ds ...*broker.Delivery) (out []broker.Settlement) {
	for _, d := range ds {
		out = append(out, broker.Settlement{ID: d.ID, Outcome: o})
	}
	return out
}

// A transaction over one shard or two is all or nothing: publishes, acknowledgements, and the refusal of one queue.
func TestCommit(t *testing.T) {
	ns := newTestCluster(t, 1)
	ctx := context.Background()
	a := connect(t, ns[0])
	in := a.spread("in", 2)
	out := a.spread("out", 2)
	full := a.spread("full", 2, broker.Argument{Name: "x-max-length", Value: broker.ArgumentValue{Kind: broker.ArgumentInt, Int: 1}},
		broker.Argument{Name: "x-overflow", Value: broker.ArgumentValue{Kind: broker.ArgumentText, Text: "reject-publish"}})
	for i, q := range in {
		a.mustPublish("", q, fmt.Sprint("1 of ", i), fmt.Sprint("2 of ", i), fmt.Sprint("3 of ", i))
	}
	counts := func(what string, want map[string]uint64) {
		t.Helper()
		for q, n := range want {
			if got := a.ready(q); got != n {
				t.Errorf("%s: %d ready in %s, want %d", what, got, q, n)
			}
		}
	}
	for i, name := range []string{"one shard", "two shards"} {
		other := out[i] // of the same shard as in[0], or another
		d, _, err := a.Get(ctx, in[0], 1)
		if err != nil {
			t.Fatal(err)
		}
		held := a.ready(other)
		// A queue that is full refuses all of it.
		a.mustPublish("", full[i], "there is room for this")
		tx := &broker.QueueTransaction{Publishes: []*broker.Publish{message(other, "transfer"), message(full[i], "too much")}, Settlements: settled(broker.Acknowledge, d)}
		if _, err := a.Commit(ctx, tx); broker.CodeOf(err) != broker.CodeQueueRefused {
			t.Fatalf("%s: full queue: %v", name, err)
		}
		eventually(t, name+": it is undone", func() error {
			if n := a.ready(other); n != held {
				return fmt.Errorf("%d ready", n)
			}
			return nil
		})
		if i == 1 { // the delivery was held, and is ready again
			if d, _, err = a.Get(ctx, in[0], 1); err != nil || d == nil || !d.Redelivered {
				t.Fatalf("%s: %+v %v", name, d, err)
			}
		}
		tx.Settlements = settled(broker.Acknowledge, d)
		// Without it everything happens.
		tx.Publishes = []*broker.Publish{message(other, "transfer"), message("nowhere", "to nobody")}
		r, err := a.Commit(ctx, tx)
		if err != nil || r[0].Queues != 1 || r[1].Queues != 0 {
			t.Fatalf("%s: %+v %v", name, r, err)
		}
		counts(name, map[string]uint64{other: held + 1, in[0]: uint64(2 - i), full[i]: 1})
		// A delivery that is settled refuses it.
		tx.Publishes = tx.Publishes[:1]
		if _, err := a.Commit(ctx, tx); broker.CodeOf(err) != broker.CodeUnknownDelivery {
			t.Fatalf("%s: settled before: %v", name, err)
		}
		counts(name, map[string]uint64{other: held + 1})
	}
	// A restart changes nothing of it.
	ns[0].stop()
	ns[0].start()
	ns[0].ready()
	a = connect(t, ns[0])
	counts("after a restart", map[string]uint64{out[0]: 1, out[1]: 1, in[0]: 1, in[1]: 3})
	if _, _, err := ns[0].e.InitTransactional(ctx, &broker.InitTransactional{ID: commitIDPrefix + "1.1", Timeout: time.Second, Producer: -1, Epoch: -1}); broker.CodeOf(err) != broker.CodeInvalidRequest {
		t.Errorf("a client with an id of ours: %v", err)
	}
}

// feed publishes one message after the other until it is told to stop, over sessions of a node that stays: true, those that were
// confirmed.
func feed(ctx context.Context, t *testing.T, n *testNode, queue string, done *atomic.Bool) map[string]bool {
	sent := map[string]bool{}
	a := connect(t, n)
	for i := 0; !done.Load() && ctx.Err() == nil; i++ {
		body := fmt.Sprint(i)
		_, err := a.publish("", queue, body)
		if sent[body] = err == nil; err != nil {
			a.Close(ctx)
			a = connect(t, n)
		}
		time.Sleep(2 * time.Millisecond) // the movers are not to fall behind far
	}
	a.Close(ctx)
	return sent
}

// Whatever stops in between: a message that left its queue is in both others once, and one that did not is in none. Messages are moved all
// the while, also while the node is down.
func TestCommitWhileNodesStop(t *testing.T) {
	ns := newTestCluster(t, 3)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	a := connect(t, ns[0])
	out := a.spread("q", 2)
	in := a.spread("in", 1)[0]

	var done atomic.Bool
	var committed, failed atomic.Int64
	var wg sync.WaitGroup
	var sent map[string]bool
	wg.Go(func() { sent = feed(ctx, t, ns[0], in, &done) })
	for i := range 2 { // movers on nodes that stay
		wg.Go(func() {
			for !done.Load() && ctx.Err() == nil {
				if err := move(ctx, t, ns[i], in, out, &committed); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	more := func(what string) {
		t.Helper()
		before := committed.Load()
		eventually(t, "messages are moved "+what, func() error {
			if n := committed.Load(); n < before+20 {
				return fmt.Errorf("%d moved, %d before", n, before)
			}
			return nil
		})
	}
	for range 3 {
		more("before it stops")
		ns[2].stop()
		more("while it is down")
		ns[2].start()
		ns[2].ready()
	}
	more("in the end")
	done.Store(true)
	wg.Wait()
	t.Logf("%d sent, %d committed, %d sessions failed", len(sent), committed.Load(), failed.Load())

	where := map[string][]string{}
	b := connect(t, ns[1])
	for _, q := range append(slices.Clone(out), in) {
		eventually(t, "drain "+q, func() error { return b.drain(q, where) })
	}
	both := slices.Sorted(slices.Values(out))
	for body, confirmed := range sent {
		got := slices.Sorted(slices.Values(where[body]))
		if !slices.Equal(got, []string{in}) && !slices.Equal(got, both) && (confirmed || len(got) > 0) {
			t.Errorf("%s, confirmed %v, is in %v", body, confirmed, got)
		}
	}
}

// move moves messages from one queue to two in transactions, until its session ends.
func move(ctx context.Context, t *testing.T, n *testNode, in string, out []string, committed *atomic.Int64) error {
	a := connect(t, n)
	defer a.Close(ctx)
	for {
		d, _, err := a.Get(ctx, in, 1)
		if err != nil {
			return err
		}
		if d == nil {
			time.Sleep(20 * time.Millisecond)
			return nil
		}
		tx := &broker.QueueTransaction{Settlements: settled(broker.Acknowledge, d)}
		for _, q := range out {
			tx.Publishes = append(tx.Publishes, message(q, string(d.Body)))
		}
		if _, err := a.Commit(ctx, tx); err != nil {
			return err
		}
		committed.Add(1)
	}
}

// drain takes all there is in a queue, until none is ready or held.
func (a *amqp) drain(queue string, where map[string][]string) error {
	for empty := 0; empty < 3; {
		d, _, err := a.Get(context.Background(), queue, 1)
		if err != nil {
			return err
		}
		if d == nil {
			empty++
			time.Sleep(time.Second)
			continue
		}
		empty = 0
		where[string(d.Body)] = append(where[string(d.Body)], queue)
		a.settle([]*broker.Delivery{d}, broker.Acknowledge)
	}
	return nil
}
