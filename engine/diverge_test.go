package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// flip makes a replica's state another one, as a flipped bit in memory does.
func flip(r *replica) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts.Fold([]byte("a bit that flipped"), nil)
}

// checkShard has the shard's leader make its replicas compare what they noted last, twice.
func checkShard(t *testing.T, ns []*testNode, s broker.ShardID) {
	t.Helper()
	eventually(t, "check", func() error {
		for _, n := range ns {
			l, ok := n.e.leadOf(s)
			if !ok {
				continue
			}
			var noted command.CheckResult
			for range 2 {
				cmd := command.Check{At: noted.At, Digest: noted.Digest}
				out, err := n.e.propose(t.Context(), s, l.term, cmd.AppendTo(nil))
				if err != nil {
					return err
				}
				if err := noted.Decode(out); err != nil {
					return err
				}
			}
			return nil
		}
		return fmt.Errorf("no leader")
	})
}

// A replica that was found to differ from its peers is stopped; when its node restarts
// before it was replaced, it does not come back: its files say nothing of it.
func TestDivergedReplicaStaysOutAfterRestart(t *testing.T) {
	ns := newTestCluster(t, 3)
	topic := createTopic(t, ns, "payments", 2)
	shard := topic.Partitions[0].Shard
	p := broker.Partition{Topic: topic.ID}
	appendTo(t, ns, p, records("a"))
	wrong := ns[2]
	r, ok := wrong.e.replica(shard)
	if !ok {
		t.Fatalf("node 3 has no replica of shard %d", shard)
	}
	bad := r.id
	flip(r)
	checkShard(t, ns, shard)
	eventually(t, "retired", func() error {
		if _, is := wrong.e.condemnation(shard, bad); !is {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	wrong.stop()
	wrong.start()
	for _, x := range wrong.h.Replicas() {
		if x.Shard == uint64(shard) && x.Replica == bad {
			t.Fatalf("it runs again: %v", x)
		}
	}
	eventually(t, "replaced", func() error {
		x, ok := wrong.e.replica(shard)
		if _, is := wrong.e.condemnation(shard, bad); is || !ok || x.id == bad {
			return fmt.Errorf("%v, still condemned: %v", x, is)
		}
		return nil
	})
	if got := readAll(t, ns, p, 0); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("read %v", got)
	}
}

// The first check of a leadership names what the last one noted, so that a replica that
// is wrong is found when its node restarted before anybody had judged it.
func TestNewLeaderComparesAtOnce(t *testing.T) {
	ns := newTestCluster(t, 3)
	topic := createTopic(t, ns, "payments", 2)
	shard := topic.Partitions[0].Shard
	appendTo(t, ns, broker.Partition{Topic: topic.ID}, records("a"))
	checkShard(t, ns, shard)
	for _, n := range ns {
		l, ok := n.e.leadOf(shard)
		if !ok {
			continue
		}
		next := newLead(n.e, l.r, l.term)
		next.stop()
		if at := l.r.noted().At; next.checkAt != at || at == 0 {
			t.Fatalf("the next check names %d, noted at %d", next.checkAt, at)
		}
		return
	}
	t.Fatal("no leader")
}
