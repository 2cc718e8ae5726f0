package consensus

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/lni/dragonboat/v4"
)

// lossy loses, doubles and delays what a node proposes; what is delayed arrives much later, even from an incarnation
// that a restart ended.
type lossy struct {
	mu      sync.Mutex
	rand    *rand.Rand
	delayed [][]byte
	lost    int
	late    int
	doubled int
}

type lossyGroup struct {
	l    *lossy
	next raftGroup
}

func (g lossyGroup) propose(cmd []byte) (*dragonboat.RequestState, error) {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	l := g.l
	for len(l.delayed) > 0 && l.rand.IntN(4) == 0 {
		i := l.rand.IntN(len(l.delayed))
		late := l.delayed[i]
		l.delayed = append(l.delayed[:i], l.delayed[i+1:]...)
		if _, err := g.next.propose(late); err != nil {
			return nil, err
		}
		l.late++
	}
	switch l.rand.IntN(10) {
	case 0:
		l.lost++
		return &dragonboat.RequestState{}, nil // and nobody will ever hear of it
	case 1:
		l.delayed = append(l.delayed, bytes.Clone(cmd))
		return &dragonboat.RequestState{}, nil
	case 2, 3:
		l.doubled++
		l.delayed = append(l.delayed, bytes.Clone(cmd))
		if _, err := g.next.propose(cmd); err != nil {
			return nil, err
		}
	}
	return g.next.propose(cmd)
}

// Between the proposers and the log a tenth is lost, a tenth comes late, a fifth comes twice, and replicas stop and
// start: nothing is lost, doubled or reordered, and every gap is filled.
func TestLossyPath(t *testing.T) {
	c := newCluster(t, 3)
	paths := make([]*lossy, 3)
	for i, n := range c.nodes {
		paths[i] = &lossy{rand: rand.New(rand.NewPCG(1, uint64(i)))}
		n.options = func(o *Options) {
			o.Limits.EntryBytes = 600 // many small entries, so that there is something to reorder
			o.test.group = func(g raftGroup) raftGroup { return lossyGroup{paths[i], g} }
		}
	}
	c.boot(3)
	var all []*load
	for round := range 5 {
		stop := make(chan struct{})
		var loads []*load
		var wg sync.WaitGroup
		for _, n := range c.nodes {
			l := newLoad(n, fmt.Sprintf("round-%d-%d-", round, n.id))
			loads = append(loads, l)
			wg.Go(func() { l.run(stop) })
		}
		victim := c.nodes[round%3]
		c.eventually("progress of each", func() bool {
			for _, l := range loads {
				l.mu.Lock()
				n := len(l.results)
				l.mu.Unlock()
				if n < 300 {
					return false
				}
			}
			return true
		})
		if err := victim.host.StopReplica(testShard); err != nil {
			t.Fatal(err)
		}
		victim.startReplica(nil)
		close(stop)
		wg.Wait()
		all = append(all, loads...)
	}
	c.sameLogs(c.nodes...)
	for _, n := range c.nodes {
		for _, l := range all {
			if err := l.check(n.toy().log()); err != nil {
				t.Fatalf("node %d: %v", n.id, err)
			}
		}
	}
	for i, p := range paths {
		t.Logf("node %d: %d lost, %d late, %d doubled", i+1, p.lost, p.late, p.doubled)
	}
}
