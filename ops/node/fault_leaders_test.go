package node_test

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// changes is how many leader changes the test makes: few, or as many as TALLYMQ_LEADER_CHANGES says.
func changes(t testing.TB) int {
	n, err := strconv.Atoi(os.Getenv("TALLYMQ_LEADER_CHANGES"))
	if err != nil {
		return 40
	}
	return n
}

// The leadership of every data shard is handed around, again and again, and now and then
// its leader is restarted: a consumer at the log's end is never told that its place does
// not exist, and nothing is lost, doubled or out of order.
func TestFaultLeaderChanges(t *testing.T) {
	t.Parallel()
	c := newServers(t, 3, nil)
	l := startLoad(t, c, 4, 2, 200, 100)
	rng := seeded(t)
	want, changed := changes(t), 0
	for restarts := 0; changed < want; {
		shard := uint64(2 + rng.IntN(2))
		old := c.leaderOf(shard)
		oldTerm, _ := old.node().Host.Leading(shard)
		if changed >= (restarts+1)*want/4 {
			restarts++
			old.restart()
		} else {
			to := c.nodes[rng.IntN(3)]
			if to == old {
				continue
			}
			for id := range c.replicasOf(to)[shard] {
				_ = old.node().Host.TransferLeader(shard, id)
			}
		}
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
			if n := c.leaderOf(shard).node(); n != nil {
				if term, ok := n.Host.Leading(shard); ok && term > oldTerm {
					changed++
					break
				}
			}
		}
		if changed%10 == 0 {
			l.progress(1)
		}
	}
	l.finish()
	t.Logf("%d leader changes", changed)
}
