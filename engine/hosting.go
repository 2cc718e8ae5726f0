package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
)

func sortedShards[V any](m map[broker.ShardID]V) []broker.ShardID {
	return slices.Sorted(maps.Keys(m))
}

// recall writes the identity when the catalog is first seen. On a disk without memory a
// catalog in which this node is registered with all it advertises (which it does only
// after its identity is durable) means: the disk was lost, and so are the replicas that
// the catalog says are here.
func (e *Engine) recall(v *catalog.View) error {
	e.identMu.Lock()
	defer e.identMu.Unlock()
	if e.ident.ClusterID != "" {
		return nil
	}
	id := e.ident
	id.Node, id.ClusterID, id.Lost = e.opt.Node, v.ClusterID(), map[broker.ShardID]uint64{}
	if n, ok := v.Node(e.opt.Node); ok && n.Kafka.Port != 0 {
		for _, s := range v.Shards() {
			if r, ok := s.On(e.opt.Node); ok && e.ident.Started[s.ID] != r.ID && e.ident.Starting[s.ID] != r.ID {
				id.Lost[s.ID] = r.ID
			}
		}
		if len(id.Lost) > 0 {
			e.log.Error("this node's disk was lost: its replicas will be rebuilt from the others under new ids", "replicas", len(id.Lost))
		}
	}
	if err := id.save(e.opt.FS, e.opt.Dir); err != nil {
		return err
	}
	e.ident = id
	return nil
}

// logID names a replica's log in the journal.
type logID struct {
	shard   broker.ShardID
	replica uint64
}

// logs lists the logs that the journal has.
func (e *Engine) logs() (map[logID]bool, error) {
	infos, err := e.opt.Journal.ListNodeInfo()
	if err != nil {
		return nil, fmt.Errorf("engine: list replicas: %w", err)
	}
	out := map[logID]bool{}
	for _, i := range infos {
		out[logID{broker.ShardID(i.ShardID), i.ReplicaID}] = true
	}
	return out, nil
}

// remember finds replicas that were started on this disk and of which the journal knows
// nothing: their log is lost.
func (e *Engine) remember(logs map[logID]bool) {
	e.identMu.Lock()
	defer e.identMu.Unlock()
	for _, s := range sortedShards(e.ident.Started) {
		id := e.ident.Started[s]
		if !logs[logID{s, id}] {
			if e.ident.Lost == nil {
				e.ident.Lost = map[broker.ShardID]uint64{}
			}
			e.ident.Lost[s] = id
		}
	}
}

// identified says whether the identity is durable.
func (e *Engine) identified() bool {
	e.identMu.Lock()
	defer e.identMu.Unlock()
	return e.ident.ClusterID != ""
}

// waitIdentity waits until the catalog was seen and recalled.
func (e *Engine) waitIdentity(ctx context.Context) bool {
	for !e.identified() {
		if ctx.Err() != nil {
			return false
		}
		sleep(ctx, pingEvery/20)
	}
	return true
}

// isLost says which replica of a shard this node lost.
func (e *Engine) isLost(s broker.ShardID) (uint64, bool) {
	e.identMu.Lock()
	defer e.identMu.Unlock()
	id, ok := e.ident.Lost[s]
	return id, ok
}

// willStart makes durable that a replica is about to live on this disk.
func (e *Engine) willStart(s broker.ShardID, id uint64) error {
	return e.noteIdentity(func(next *identity) bool {
		if next.Started[s] == id || next.Starting[s] == id {
			return false
		}
		next.Starting = with(next.Starting, s, id)
		return true
	})
}

// didStart makes durable that the journal has a record of a replica: if it has none
// later, the log was lost.
func (e *Engine) didStart(s broker.ShardID, id uint64) error {
	return e.noteIdentity(func(next *identity) bool {
		if next.Started[s] == id {
			return false
		}
		next.Starting, next.Started = maps.Clone(next.Starting), with(next.Started, s, id)
		delete(next.Starting, s)
		return true
	})
}

func with(m map[broker.ShardID]uint64, s broker.ShardID, id uint64) map[broker.ShardID]uint64 {
	out := map[broker.ShardID]uint64{s: id}
	for k, v := range m { //lint:sorted each fills its own place
		if k != s {
			out[k] = v
		}
	}
	return out
}

// noteIdentity changes the identity, durably; change says whether there is anything to do.
func (e *Engine) noteIdentity(change func(next *identity) bool) error {
	e.identMu.Lock()
	defer e.identMu.Unlock()
	next := e.ident
	next.Node = e.opt.Node
	if !change(&next) {
		return nil
	}
	if err := next.save(e.opt.FS, e.opt.Dir); err != nil {
		return fmt.Errorf("engine: save identity: %w", err)
	}
	e.ident = next
	return nil
}

// startReplica starts a replica. One that is damaged does not stop the node: it is
// reported, and rebuilt under a new id.
func (e *Engine) startReplica(ctx context.Context, spec consensus.ReplicaSpec) error {
	s := broker.ShardID(spec.Shard)
	if why, is := e.condemnation(s, spec.Replica); is {
		e.markDamaged(s, spec.Replica, why)
		return nil
	}
	if err := e.willStart(s, spec.Replica); err != nil {
		return err
	}
	err := e.host.StartReplica(ctx, spec)
	switch {
	case errors.Is(err, consensus.ErrAlreadyStarted):
		return nil // or about to be, by another goroutine
	case err == nil:
		e.mu.Lock()
		delete(e.damaged, s)
		e.mu.Unlock()
		if err := e.didStart(s, spec.Replica); err != nil {
			e.fail(err)
			return err
		}
		return nil
	case errors.Is(err, consensus.ErrDamaged), errors.Is(err, consensus.ErrReplicaRemoved):
		e.markDamaged(s, spec.Replica, err.Error())
		return nil
	}
	return fmt.Errorf("engine: start shard %d replica %d: %w", spec.Shard, spec.Replica, err)
}

// markDamaged reports a replica that does not run here and never will.
func (e *Engine) markDamaged(s broker.ShardID, id uint64, why string) {
	e.mu.Lock()
	_, known := e.damaged[s]
	e.damaged[s] = replicaStatus{Shard: s, Replica: id, Role: "damaged", Damaged: why}
	e.mu.Unlock()
	if !known {
		e.log.Error("replica cannot be used and must be rebuilt from its peers", "shard", s, "replica", id, "why", why)
	}
}

// followReplicas starts what the catalog places here, and forgets what it took away.
func (e *Engine) followReplicas(ctx context.Context, v *catalog.View) {
	running := map[broker.ShardID]uint64{}
	for _, r := range e.host.Replicas() {
		running[broker.ShardID(r.Shard)] = r.Replica
	}
	for _, s := range v.Shards() {
		want, ok := s.On(e.opt.Node)
		id, runs := running[s.ID]
		if runs && takenAway(s, id) {
			e.forget(s.ID, id)
			runs = false
		}
		if !ok || runs {
			continue
		}
		if err := e.place(ctx, v, s, want); err != nil && ctx.Err() == nil {
			e.log.Error("replica not started, will be tried again", "shard", s.ID, "replica", want.ID, "err", err)
		}
	}
	e.mu.Lock()
	for _, s := range sortedShards(e.damaged) {
		if sh, ok := v.Shard(s); ok && takenAway(sh, e.damaged[s].Replica) {
			delete(e.damaged, s)
		}
	}
	e.mu.Unlock()
	e.forgetLeft(v)
}

// takenAway says that a replica id was given out and is a member no more. An id that the
// catalog has not given out yet means that this view is older than the replica: after a
// restart it may be by minutes, and then nothing may be freed by it.
func takenAway(s *catalog.Shard, id uint64) bool {
	_, member := s.Replica(id)
	return !member && id < s.NextReplica
}

// forgetLeft frees what is left of replicas that are members no more and do not run:
// damaged ones that were replaced, and those whose forgetting a crash or an error ended.
// Whoever is not open pins all its payloads, for ever if nobody frees it.
func (e *Engine) forgetLeft(v *catalog.View) {
	logs, err := e.logs()
	if err != nil {
		e.log.Warn("forget replaced replicas", "err", err)
		return
	}
	if err := e.pardon(v, logs); err != nil {
		e.fail(err)
		return
	}
	for _, r := range e.host.Replicas() {
		delete(logs, logID{broker.ShardID(r.Shard), r.Replica})
	}
	for l := range logs { //lint:sorted each is freed on its own
		if s, ok := v.Shard(l.shard); ok && takenAway(s, l.replica) {
			e.forgetData(l.shard, l.replica)
		}
	}
}

// unlessTheLogTells: every replica that joins does so as a follower. One that died before the first entry reached its
// log has nothing else to tell it so; started as a voter it would meet the change that made it a follower, and die of
// it. Wherever the log or a snapshot says what the replica is, that decides (consensus.ReplicaSpec).
const unlessTheLogTells = true

// place starts one replica as what it is: one that was here before, one that joins, or a
// first member of a shard that never changed.
func (e *Engine) place(ctx context.Context, v *catalog.View, s *catalog.Shard, r catalog.Replica) error {
	if lost, ok := e.isLost(s.ID); ok && lost == r.ID {
		e.markDamaged(s.ID, r.ID, "the disk that held it was lost")
		return nil
	}
	e.mu.Lock()
	bad, damaged := e.damaged[s.ID]
	e.mu.Unlock()
	if damaged && bad.Replica == r.ID {
		return nil
	}
	spec := consensus.ReplicaSpec{Shard: uint64(s.ID), Replica: r.ID}
	logs, err := e.logs()
	if err != nil {
		return err
	}
	self, registered := v.Node(e.opt.Node)
	switch {
	case logs[logID{s.ID, r.ID}]:
		spec.NonVoting = unlessTheLogTells
	case registered && self.Kafka.Port == 0 && e.opt.Kafka.Port != 0:
		// Named at bootstrap, but not registered yet. Were this disk lost before that is,
		// nothing would tell (see recall), so nothing may be promised on it. The view that has
		// the registration comes soon.
		return nil
	case r.State == catalog.ReplicaJoining:
		spec.Join, spec.NonVoting = true, true
	case s.NextReplica != uint64(len(s.Replicas))+1:
		// The membership changed since the shard was made, and this replica never came:
		// what it should begin with is not known any more.
		e.markDamaged(s.ID, r.ID, "it was never started, and the shard's membership changed since")
		return nil
	default:
		spec.Initial = map[uint64]string{}
		for _, x := range s.Replicas {
			n, ok := v.Node(x.Node)
			if !ok {
				return fmt.Errorf("node %d of replica %d is not registered", x.Node, x.ID)
			}
			spec.Initial[x.ID] = n.Raft
		}
	}
	return e.startReplica(ctx, spec)
}

// forget stops a replica that the catalog took away from this node, and frees all of it.
func (e *Engine) forget(s broker.ShardID, id uint64) {
	e.log.Info("replica leaves this node", "shard", s, "replica", id)
	if err := e.host.StopReplica(uint64(s)); err != nil {
		e.log.Warn("stop replica", "shard", s, "replica", id, "err", err)
		return
	}
	e.forgetData(s, id)
}

// forgetData frees what a replica that is no member any more and does not run left.
func (e *Engine) forgetData(s broker.ShardID, id uint64) {
	// Rows first: as long as they exist their payloads are kept.
	err := e.opt.Store.Replica(uint64(s), id).Drop()
	if err = errors.Join(err, e.host.RemoveReplicaData(uint64(s), id)); err != nil {
		e.log.Warn("forget replica", "shard", s, "replica", id, "err", err)
	}
}
