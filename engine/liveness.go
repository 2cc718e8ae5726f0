package engine

import (
	"context"
	"errors"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/partition"
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
	err = partition.LiveNames(v, lo, hi, func(n partition.Name) bool { return yield(journal.Name(n)) })
	return errors.Join(err, v.Close())
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
