package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/tallymq/tallymq/engine"
	"github.com/tallymq/tallymq/simtest/check"
)

// shardReplicasMin is on how many nodes each shard is when all is well.
const shardReplicasMin = 3

// digests asks every node what it holds, by shard.
func (l *workload) digests() map[string][]check.Digest {
	all := map[string][]check.Digest{}
	for _, name := range l.c.Names {
		var ds []engine.ReplicaDigest
		err := l.w.Process(name).Do(func() (err error) {
			if n := l.c.Node(name); n != nil {
				ds, err = n.Engine.Digests()
			}
			return err
		})
		if err != nil {
			continue
		}
		for _, d := range ds {
			shard := fmt.Sprint("shard ", d.Shard)
			all[shard] = append(all[shard], check.Digest{Shard: shard, Replica: name, Index: d.Index, Sum: d.Sum})
		}
	}
	return all
}

// compareReplicas waits until all replicas of each shard are at one index, and leaves it
// to the judge whether they hold the same there.
//
//   - replica-missing: long after the faults a shard has fewer replicas than it should,
//     or they do not come together.
func (l *workload) compareReplicas() {
	for end := time.Now().Add(patience); ; time.Sleep(500 * time.Millisecond) {
		ds := l.digests()
		apart := ""
		for shard, list := range ds {
			l.h.Digests = append(l.h.Digests, list...)
			index := list[0].Index
			if len(list) < shardReplicasMin || slices.ContainsFunc(list, func(d check.Digest) bool { return d.Index != index }) {
				apart = max(apart, fmt.Sprint(shard, ": ", list))
			}
		}
		if apart == "" && len(ds) > 0 {
			return
		}
		if time.Now().After(end) {
			l.w.Anomaly("replica-missing", "nodes", "%v after the faults: %v", patience, apart)
			return
		}
	}
}
