package narrow

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/engine"
	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

// held names a replica's place.
type held struct{ node, shard string }

// digests asks every node what it holds.
func (x *narrow) digests() map[held]engine.ReplicaDigest {
	all := map[held]engine.ReplicaDigest{}
	for _, name := range x.c.Names {
		var ds []engine.ReplicaDigest
		err := x.w.Process(name).Do(func() (err error) {
			if n := x.c.Node(name); n != nil {
				ds, err = n.Engine.Digests()
			}
			return err
		})
		if err != nil {
			continue
		}
		for _, d := range ds {
			all[held{name, fmt.Sprint("shard ", d.Shard)}] = d
		}
	}
	return all
}

// replicaIDs waits until every node has its replicas, and notes their ids.
func (x *narrow) replicaIDs() map[held]uint64 {
	const shards = 3 // the catalog and two for data
	for try := 0; ; try++ {
		ds := x.digests()
		if len(ds) >= shards*min(3, len(x.c.Names)) || try > 100 {
			ids := map[held]uint64{}
			for k, d := range ds {
				ids[k] = d.Replica
			}
			return ids
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// replicas compares what the nodes hold, once they are at the same index.
//
//   - replica-missing: two minutes after the faults not all nodes hold all shards.
//   - replica-replaced: a replica has another id, though no disk was damaged.
//   - divergence: two hold different rows at the same index.
func (x *narrow) replicas() {
	var ds map[held]engine.ReplicaDigest
	for end := time.Now().Add(patience); ; time.Sleep(500 * time.Millisecond) {
		ds = x.digests()
		for k, d := range ds {
			x.h.Digests = append(x.h.Digests, check.Digest{Shard: k.shard, Replica: k.node, Index: d.Index, Sum: d.Sum})
		}
		if x.together(ds) {
			break
		}
		if time.Now().After(end) {
			x.w.Anomaly("replica-missing", "nodes", "%v after the faults they hold %v", patience, ds)
			break
		}
	}
	for k, id := range x.first {
		if d, ok := ds[k]; ok && d.Replica != id && !x.damaged {
			x.w.Anomaly("replica-replaced", k.node, "%s is replica %d and was %d; no disk was damaged", k.shard, d.Replica, id)
		}
	}
}

// together says that all nodes hold all shards at the same index.
func (x *narrow) together(ds map[held]engine.ReplicaDigest) bool {
	index := map[string]uint64{}
	for k, d := range ds {
		if at, ok := index[k.shard]; ok && at != d.Index {
			return false
		}
		index[k.shard] = d.Index
	}
	return len(ds) >= len(x.first)
}

// term is the leadership of a partition.
type term struct {
	place string
	epoch int32
}

// epochsRise compares the epoch of each record that was read with what was known when
// it was sent.
//
//   - old-epoch: a record that was sent when a later leader was known has the epoch of
//     an earlier one.
func (x *narrow) epochsRise() {
	for i := range x.h.Sends {
		s := &x.h.Sends[i]
		epoch, ok := x.epochOf[s.Value]
		if !ok {
			continue
		}
		for t, since := range x.since {
			if t.place == s.Partition && since < s.Call && epoch < t.epoch {
				x.w.Anomaly("old-epoch", t.place, "%.20s has epoch %d, and was sent after node %d led it in epoch %d", s.Value, epoch, x.terms[t], t.epoch)
				return
			}
		}
	}
}

// watchTerms asks every node who leads, again and again, until stop is closed.
//
//   - two-leaders: two nodes are said to have led a partition in the same epoch.
func (x *narrow) watchTerms(stop <-chan struct{}) <-chan error {
	_, done := x.begin("watcher", func(_ *simtest.Process, cl *kgo.Client) error {
		for n := 0; !stopped(stop, 20*time.Millisecond); n++ {
			q := kmsg.NewPtrMetadataRequest()
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = kmsg.StringPtr(topic)
			q.Topics = append(q.Topics, t)
			ctx, cancel := timeout(time.Second)
			r, err := cl.Broker(1+n%len(x.c.Names)).Request(ctx, q)
			cancel()
			if err != nil {
				continue
			}
			for _, t := range r.(*kmsg.MetadataResponse).Topics {
				for _, p := range t.Partitions {
					x.led(term{where(topic, p.Partition), p.LeaderEpoch}, p.Leader)
				}
			}
		}
		return nil
	})
	return done
}

func (x *narrow) led(t term, leader int32) {
	if leader < 0 || t.epoch < 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if was, ok := x.terms[t]; ok && was != leader {
		x.w.Anomaly("two-leaders", t.place, "node %d and node %d led it in epoch %d", was, leader, t.epoch)
	}
	if _, ok := x.terms[t]; !ok {
		x.since[t] = x.w.Now()
	}
	x.terms[t] = leader
}
