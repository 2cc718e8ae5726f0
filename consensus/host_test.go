package consensus

import (
	"encoding/binary"
	"sync"
	"testing"
)

func TestThreeHostsOrderedResults(t *testing.T) {
	c := newCluster(t, 3)
	c.boot(3)
	c.leader()
	const commands = 2000
	var wg sync.WaitGroup
	for _, n := range c.nodes {
		results := make([]uint64, commands)
		wg.Add(commands)
		go func() {
			for i := range commands {
				n.host.Propose(&Proposal{Ctx: c.ctx(), Shard: testShard, Head: body("%d-", n.id), Payload: body("%d", i), Done: func(r []byte, err error) {
					defer wg.Done()
					if err != nil {
						t.Errorf("node %d command %d: %v", n.id, i, err)
						return
					}
					results[i] = binary.BigEndian.Uint64(r)
					if i > 0 && results[i] <= results[i-1] {
						t.Errorf("node %d: result of %d is %d after %d", n.id, i, results[i], results[i-1])
					}
				}})
			}
		}()
	}
	wg.Wait()
	c.sameLogs(c.nodes...)
	next := map[NodeID]int{}
	for _, r := range c.nodes[0].toy().log() {
		if r.Start {
			continue
		}
		if want := string(body("%d-%d", r.Node, next[r.Node])); string(r.Body) != want {
			t.Fatalf("index %d: %q instead of %q", r.Index, r.Body, want)
		}
		next[r.Node]++
	}
	for _, n := range c.nodes {
		if next[n.id] != commands {
			t.Fatalf("node %d: %d commands applied", n.id, next[n.id])
		}
	}
}
