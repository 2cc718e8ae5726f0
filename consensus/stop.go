package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lni/dragonboat/v4"
)

// StopReplica stops the local replica and waits until its machine is closed. Its log and rows stay.
func (h *Host) StopReplica(shard uint64) error {
	r := h.replica(shard)
	if r == nil {
		return fmt.Errorf("%w: shard %d", ErrNoReplica, shard)
	}
	// What was on its way gets its answer before anything later can be forwarded.
	r.proposer.shut(ErrClosed)
	r.stop.Do(func() { close(r.stopping) }) // one whose apply failed waits for it
	if !h.unregister(r) {
		<-r.unloaded
		return nil
	}
	err := h.nh.StopReplica(shard, r.replica)
	if err != nil && !errors.Is(err, dragonboat.ErrShardNotFound) { // a removed replica stops by itself
		return fmt.Errorf("consensus: stop shard %d replica %d: %w", shard, r.replica, err)
	}
	<-r.unloaded
	return nil
}

// unregister takes the replica out and waits for what runs for it; false if somebody else did.
func (h *Host) unregister(r *replica) bool {
	h.mu.Lock()
	if h.replicas[r.shard] != r {
		h.mu.Unlock()
		return false
	}
	delete(h.replicas, r.shard)
	c := h.contexts[r]
	delete(h.contexts, r)
	h.mu.Unlock()
	c.cancel()
	c.running.Wait()
	return true
}

// RemoveReplicaData forgets a stopped replica that was removed from its shard: Raft's records, the journal's payloads
// and the mark of a pull. Done to a member it would break the shard's promise to its majority.
func (h *Host) RemoveReplicaData(shard, replica uint64) error {
	if r := h.replica(shard); r != nil && r.replica == replica {
		return fmt.Errorf("consensus: remove data of shard %d replica %d: it is running", shard, replica)
	}
	ctx, cancel := context.WithTimeout(h.ctx, 10*time.Second)
	defer cancel()
	for {
		err := h.nh.RemoveData(shard, replica)
		if err == nil {
			break
		}
		if !errors.Is(err, dragonboat.ErrShardNotStopped) || ctx.Err() != nil {
			return fmt.Errorf("consensus: remove data of shard %d replica %d: %w", shard, replica, err)
		}
		atRemoveWaits.Hit()
		sleep(ctx, retryEvery) // still being unloaded
	}
	if err := h.payloads.ForgetReplica(shard, replica); err != nil {
		return fmt.Errorf("consensus: forget payloads of shard %d replica %d: %w", shard, replica, err)
	}
	p := puller{host: h, shard: shard, replica: replica}
	return p.forget()
}

// snapshotInBackground asks dragonboat for a local snapshot, not while payloads are being pulled: what peers keep for
// the pull must not make this replica's own log shorter meanwhile.
func (h *Host) snapshotInBackground(r *replica) {
	ok := h.background(r.shard, r.replica, func(ctx context.Context) {
		for !r.payloads.isWhole() && ctx.Err() == nil {
			atSnapshotWaitsForPull.Hit()
			sleep(ctx, 10*retryEvery)
		}
		ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
		defer cancel()
		index, err := h.nh.SyncRequestSnapshot(ctx, r.shard, r.keeper.option())
		r.keeper.taken(err == nil)
		if err != nil && ctx.Err() == nil && !errors.Is(err, dragonboat.ErrRejected) {
			h.o.Logger.Warn("snapshot not taken", "shard", r.shard, "replica", r.replica, "err", err)
		} else if err == nil {
			atSnapshotTaken.Hit()
			h.o.Logger.Debug("snapshot taken", "shard", r.shard, "replica", r.replica, "index", index)
		}
	})
	if !ok {
		r.keeper.taken(false)
	}
}

// snapshotTimeout bounds one snapshot: it waits for a flush of all rows.
const snapshotTimeout = 5 * time.Minute

// status is the replica now, without the role that only dragonboat knows.
func (r *replica) status() ReplicaStatus {
	s := ReplicaStatus{Shard: r.shard, Replica: r.replica, DurableApplied: r.machine.DurableApplied(), Whole: r.payloads.isWhole()}
	r.mu.Lock()
	s.Applied, s.Leader, s.Term, s.Damaged = r.applied, r.raftLeader, r.raftTerm, r.damaged
	_, s.Leading = r.leadingLocked()
	if r.removed {
		s.Role = RoleRemoved
	}
	r.mu.Unlock()
	return s
}
