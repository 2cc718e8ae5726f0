package engine

import (
	"fmt"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
)

// Replicas at one index have one sum, the catalog's too, also when one of them was away and
// has rows of another history on its disk.
func TestDigests(t *testing.T) {
	ns := newTestCluster(t, 3)
	topic := createTopic(t, ns, "payments", 4)
	for i := range 20 {
		if i == 5 {
			ns[2].stop()
		}
		if i == 15 {
			ns[2].start()
			ns[2].ready()
		}
		appendTo(t, ns, broker.Partition{Topic: topic.ID, Index: int32(i % 4)}, records(fmt.Sprint(i)))
	}
	eventually(t, "equal digests", func() error {
		first := map[broker.ShardID]ReplicaDigest{}
		for _, n := range ns {
			ds, err := n.e.Digests()
			if err != nil {
				return err
			}
			if len(ds) != 3 {
				return fmt.Errorf("node %d has %d replicas", n.id, len(ds))
			}
			for _, d := range ds {
				f, ok := first[d.Shard]
				switch {
				case !ok:
					first[d.Shard] = d
				case f.Index != d.Index:
					return fmt.Errorf("shard %d: replicas are at %d and %d", d.Shard, f.Index, d.Index)
				case f.Sum != d.Sum:
					t.Fatalf("shard %d at index %d: %016x and %016x", d.Shard, d.Index, f.Sum, d.Sum)
				}
			}
		}
		return nil
	})
}
