package engine

import (
	"context"
	"errors"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/engine/partition"
	"github.com/tallymq/tallymq/engine/queueing"
	"github.com/tallymq/tallymq/engine/store"
)

// The engine is the journal's Liveness: what the rows name must stay.
var _ journal.Liveness = (*Engine)(nil)

// Live yields the names of entries lo..hi that the rows hold now.
func (e *Engine) Live(shard, id, lo, hi uint64, yield func(journal.Name) bool) error {
	if broker.ShardID(shard) == catalog.CatalogShard {
		return nil
	}
	rows, err := e.rowsOf(shard, id)
	if err != nil {
		return err
	}
	v, err := rows.View()
	if err != nil {
		return err
	}
	return errors.Join(liveNames(v, lo, hi, yield), v.Close())
}

// liveNames yields the names of entries lo..hi that batches of partitions or messages of queues hold, ascending.
func liveNames(v keyspace.Reader, lo, hi uint64, yield func(journal.Name) bool) error {
	var messages []journal.Name
	if err := queueing.LiveNames(v, lo, hi, func(n queueing.Name) bool {
		messages = append(messages, journal.Name(n))
		return true
	}); err != nil {
		return err
	}
	more := true
	before := func(n partition.Name) bool { // yields the messages in front of a batch
		for more && len(messages) > 0 && (messages[0].Index < n.Index || messages[0].Index == n.Index && messages[0].Position < n.Position) {
			more = yield(messages[0])
			messages = messages[1:]
		}
		return more
	}
	err := partition.LiveNames(v, lo, hi, func(n partition.Name) bool {
		if before(n) {
			more = yield(journal.Name(n))
		}
		return more
	})
	if err == nil && more {
		before(partition.Name{Index: 1<<64 - 1, Position: 1<<32 - 1})
	}
	return err
}

// Flushed makes durable what Live judged by.
func (e *Engine) Flushed(_ context.Context, shard, id uint64) (uint64, error) {
	rows, err := e.rowsOf(shard, id)
	if err != nil {
		return 0, err
	}
	if err := rows.Sync(); err != nil {
		return 0, err
	}
	return rows.DurableApplied(), nil
}

// rowsOf finds the rows of a replica that is open here. A replica that is not open keeps
// everything: its rows may not be loaded yet.
func (e *Engine) rowsOf(shard, id uint64) (*store.Replica, error) {
	r, ok := e.replica(broker.ShardID(shard))
	if !ok || r.id != id {
		return nil, journal.ErrUnknownReplica
	}
	return r.rows, nil
}
