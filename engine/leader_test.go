package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// TestMovedLeaderIsNamed: while leadership moves about, whoever is refused is told where to go, unless nobody knew for
// leaderWait.
func TestMovedLeaderIsNamed(t *testing.T) {
	ns := newTestCluster(t, 3)
	topic := createTopic(t, ns, "payments", 1)
	p := broker.Partition{Topic: topic.ID}
	appendTo(t, ns, p, records("first"))
	known, ok := ns[0].e.view.Load().TopicByID(topic.ID)
	if !ok {
		t.Fatal("the topic is not known")
	}
	shard := known.Shards[0]
	refused := 0
	for range 20 {
		var leader *testNode
		eventually(t, "somebody leads", func() error {
			for _, n := range ns {
				if _, ok := n.e.host.Leading(uint64(shard)); ok {
					leader = n
					return nil
				}
			}
			return errors.New("nobody")
		})
		to := ns[(int(leader.id))%len(ns)]
		r, ok := to.e.replica(shard)
		if !ok {
			t.Fatalf("node %d has no replica of shard %d", to.id, shard)
		}
		if err := leader.e.host.TransferLeader(uint64(shard), r.id); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for _, n := range []*testNode{leader, to} {
			for range 10 {
				wg.Add(1)
				n.e.Append(context.Background(), &broker.Append{Partition: p, Batch: records("x"), Deadline: time.Now().Add(time.Minute),
					Done: func(_ broker.AppendResult, err error) {
						defer wg.Done()
						var refusal *broker.Error
						if !errors.As(err, &refusal) || refusal.Code != broker.CodeNotLeader {
							return
						}
						n.e.mu.Lock()
						ago := time.Since(n.e.shifts[shard])
						n.e.mu.Unlock()
						mu.Lock()
						defer mu.Unlock()
						refused++
						// What changed in the very last moment may have changed after the refusal.
						if refusal.Leader == broker.NoNode && ago > 10*time.Millisecond && ago < leaderWait {
							t.Errorf("node %d refused %v after the last change and named nobody: %v", n.id, ago, err)
						}
					}})
			}
		}
		wg.Wait()
	}
	if refused == 0 {
		t.Error("nothing was refused: the test shows nothing")
	}
	t.Logf("%d refused", refused)
}
