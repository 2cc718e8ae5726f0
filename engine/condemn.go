package engine

import (
	"context"
	"maps"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
)

// condemn makes durable that a replica must never run again: neither lead, nor serve, nor
// vote. Nothing in its own files says so.
func (e *Engine) condemn(s broker.ShardID, id uint64, why string) error {
	return e.noteIdentity(func(next *identity) bool {
		if next.Condemned[s].Replica == id {
			return false
		}
		next.Condemned = maps.Clone(next.Condemned)
		if next.Condemned == nil {
			next.Condemned = map[broker.ShardID]condemned{}
		}
		next.Condemned[s] = condemned{id, why}
		return true
	})
}

// condemnation says whether a replica is condemned, and why.
func (e *Engine) condemnation(s broker.ShardID, id uint64) (why string, is bool) {
	e.identMu.Lock()
	defer e.identMu.Unlock()
	c := e.ident.Condemned[s]
	return c.Why, id != 0 && c.Replica == id
}

// retire takes a replica whose state is not the others' out of service, for good. A crash
// before the fact is durable leaves it to the next check, which a new leader makes at once.
func (e *Engine) retire(r *replica) {
	e.spawn(func(context.Context) {
		const why = "its state differs from its peers' at the same index"
		// Marked first: whoever places replicas meanwhile must not start it again.
		e.markDamaged(r.shard, r.id, why)
		if err := e.condemn(r.shard, r.id, why); err != nil {
			e.fail(err) // it is stopped with the node
			return
		}
		if err := e.host.StopReplica(uint64(r.shard)); err != nil {
			e.log.Error("stop diverged replica", "shard", r.shard, "err", err)
		}
	})
}

// pardon forgets condemned replicas that were replaced and of which nothing is left here.
func (e *Engine) pardon(v *catalog.View, logs map[logID]bool) error {
	return e.noteIdentity(func(next *identity) bool {
		kept := maps.Clone(next.Condemned)
		maps.DeleteFunc(kept, func(s broker.ShardID, c condemned) bool {
			sh, ok := v.Shard(s)
			return ok && takenAway(sh, c.Replica) && !logs[logID{s, c.Replica}]
		})
		if len(kept) == len(next.Condemned) {
			return false
		}
		next.Condemned = kept
		return true
	})
}
