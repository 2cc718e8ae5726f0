package consensus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Whatever was acknowledged anywhere before ReadBarrier was called is applied here when it returns, while the
// leadership moves about.
func TestReadBarrierIsLinearizable(t *testing.T) {
	c := newCluster(t, 3)
	c.boot(3)
	c.leader()
	var acked atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			c.nodes[i%3].mustPropose("w")
			acked.Add(1)
		}
	})
	writes := func(n *testNode) (k int64) {
		for _, r := range n.toy().log() {
			if string(r.Body) == "w" {
				k++
			}
		}
		return k
	}
	var checks atomic.Int64
	for _, n := range c.nodes {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				before := acked.Load()
				if err := n.host.ReadBarrier(c.ctx(), testShard); err != nil {
					t.Error(err)
					return
				}
				if now := writes(n); now < before {
					t.Errorf("node %d: %d writes seen, %d acknowledged before", n.id, now, before)
					return
				}
				checks.Add(1)
			}
		})
	}
	for i := range 6 {
		leader := c.leader()
		c.transfer(leader, c.nodes[(int(leader.id)+i%2)%3])
		c.eventually("more checks", func() bool { return t.Failed() || checks.Load() > int64(100*(i+1)) })
	}
	close(stop)
	wg.Wait()
	// A replica cut off from the others must not answer.
	lone := c.leader()
	for _, n := range c.nodes {
		if n != lone {
			n.stop()
		}
	}
	ctx, cancel := context.WithTimeout(c.ctx(), 300*time.Millisecond)
	defer cancel()
	if err := lone.host.ReadBarrier(ctx, testShard); err == nil {
		t.Fatal("a barrier without a majority")
	}
}

// Every change is announced once and in order, and Leading is announced only with a leader-start applied.
func TestLeadershipEvents(t *testing.T) {
	c := newCluster(t, 3)
	c.boot(3)
	for i := range 4 {
		leader := c.leader()
		c.transfer(leader, c.nodes[(int(leader.id)+i%2)%3])
	}
	c.sameLogs(c.nodes...)
	for _, n := range c.nodes {
		c.eventually(fmt.Sprintf("node %d hears of the present leader", n.id), func() bool {
			term := n.toy().term()
			n.mu.Lock()
			defer n.mu.Unlock()
			return len(n.changes) > 0 && n.changes[len(n.changes)-1].Term == term
		})
		n.mu.Lock()
		changes := n.changes
		n.mu.Unlock()
		for i, ch := range changes {
			if i > 0 && (ch.Term < changes[i-1].Term || ch == changes[i-1]) {
				t.Fatalf("node %d: %v after %v", n.id, ch, changes[i-1])
			}
			if ch.Leading {
				started := false
				for _, r := range n.toy().log() {
					started = started || r.Start && r.Term == ch.Term && r.Node == n.id
				}
				if !started {
					t.Fatalf("node %d: %v without its leader-start", n.id, ch)
				}
			}
		}
	}
}

// Replicated time passes on the leader and survives a change of leader without falling (the toy refuses a fall).
func TestClockAdvances(t *testing.T) {
	c := newCluster(t, 3)
	c.boot(3)
	leader := c.leader()
	for i := range 3 {
		before := leader.host.Clock(testShard)
		c.eventually("time passes", func() bool { return leader.host.Clock(testShard) > before+5 })
		leader.mustPropose("tick")
		if now := leader.toy().clock(); now <= before {
			t.Fatalf("applied clock %d after a reading of %d", now, before)
		}
		next := c.nodes[(int(leader.id)+i%2)%3]
		c.transfer(leader, next)
		if now := next.host.Clock(testShard); now < before {
			t.Fatalf("clock fell from %d to %d", before, now)
		}
		leader = next
	}
}
