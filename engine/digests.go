package engine

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/engine/queueing"
)

// ofQueues says whether a row is of the machine of queues, but for the names, which are the same whenever they are written.
func ofQueues(key []byte) bool {
	switch key[0] {
	case keyspace.TableQueue, keyspace.TableChunk, keyspace.TableQueueDelta, keyspace.TableQueueHolder, keyspace.TableQueueSeen:
		return true
	}
	return bytes.Equal(key, keyspace.MachineKey(keyspace.MachineQueueing))
}

// ReplicaDigest is what one replica of this node holds at an index: replicas of a shard that
// are at the same index have the same sum, or one of them is wrong.
type ReplicaDigest struct {
	Shard   broker.ShardID `json:"shard"`
	Replica uint64         `json:"replica"`
	Index   uint64         `json:"index"`
	// Sum is over all replicated rows, keys and values in order; the rolling digests of
	// commands and results, which the leader's Check compares, are among them.
	Sum uint64 `json:"sum,string"`
}

// Digests reads every row of every replica of this node: seconds and a disk's attention where
// there are many.
func (e *Engine) Digests() ([]ReplicaDigest, error) {
	e.mu.Lock()
	replicas := maps.Clone(e.replicas)
	e.mu.Unlock()
	var out []ReplicaDigest
	for _, s := range slices.Sorted(maps.Keys(replicas)) {
		d, err := replicas[s].digest()
		if err != nil {
			return nil, fmt.Errorf("digest of %v: %w", replicas[s], err)
		}
		out = append(out, d)
	}
	return out, nil
}

// digest folds the rows of one view. Reverse rows are no replicated state: each replica
// cleans them when it likes. Queues write what they are when they like, too, as rows or as the commands since: what they are
// is folded.
func (r *replica) digest() (ReplicaDigest, error) {
	v, err := r.rows.View()
	if err != nil {
		return ReplicaDigest{}, err
	}
	h := fnv.New64a()
	length := func(b []byte) []byte { return []byte{byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))} }
	err = v.Scan(nil, nil, func(key, value []byte) bool {
		if key[0] != keyspace.TableReverse && !ofQueues(key) {
			for _, b := range [][]byte{length(key), key, length(value), value} {
				h.Write(b) // never fails
			}
		}
		return true
	})
	if err == nil && r.shard != catalog.CatalogShard {
		var m *queueing.Machine
		if m, err = queueing.Load(v); err == nil {
			_, _ = io.WriteString(h, m.Describe())
		}
	}
	d := ReplicaDigest{Shard: r.shard, Replica: r.id, Index: v.Applied(), Sum: h.Sum64()}
	return d, errors.Join(err, v.Close())
}
