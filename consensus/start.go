package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	sm "github.com/lni/dragonboat/v4/statemachine"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/consensus/stream"
)

// StartReplica starts a replica on this node; safe to repeat after a restart. It refuses with ErrDamaged when the rows
// are ahead of the log or behind what the log no longer holds, or when the journal has damage that no peer could
// repair: such a replica must be removed and rebuilt under a new id.
func (h *Host) StartReplica(ctx context.Context, spec ReplicaSpec) error {
	if spec.Shard == 0 || spec.Replica == 0 {
		return fmt.Errorf("consensus: start replica: shard %d replica %d: ids begin at 1", spec.Shard, spec.Replica)
	}
	h.mu.Lock()
	switch {
	case h.closed:
		h.mu.Unlock()
		return ErrClosed
	case h.replicas[spec.Shard] != nil || h.starting[spec.Shard]:
		h.mu.Unlock()
		return fmt.Errorf("%w: shard %d", ErrAlreadyStarted, spec.Shard)
	}
	h.starting[spec.Shard] = true
	if len(spec.Initial) > 0 {
		h.initial[spec.Shard] = spec.Initial
	}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.starting, spec.Shard)
		h.mu.Unlock()
	}()
	if err := h.startReplica(ctx, spec); err != nil {
		return fmt.Errorf("consensus: start shard %d replica %d: %w", spec.Shard, spec.Replica, err)
	}
	return nil
}

func (h *Host) startReplica(ctx context.Context, spec ReplicaSpec) error {
	// Nothing of the replica runs yet, so an error leaves everything as it was on disk.
	// Repairs come first: of a replica that joined, all of the log is read.
	repull, err := h.repairKnown(ctx, spec.Shard, spec.Replica)
	if err != nil {
		return err
	}
	past, err := h.readPast(spec.Shard, spec.Replica)
	if errors.Is(err, journal.ErrDamaged) {
		// It was found only now. There is nobody yet whom it could be repaired for in the background.
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return err
	}
	m := h.o.Machines(spec.Shard, spec.Replica)
	r, err := h.openReplica(ctx, spec, m, past)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	if !repull.empty() {
		atStartPulls.Hit()
		if err := r.payloads.begin(repull); err != nil {
			return errors.Join(err, m.Close())
		}
	}
	rctx, cancel := context.WithCancel(h.ctx)
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		cancel()
		return errors.Join(ErrClosed, m.Close())
	}
	// Registered before dragonboat knows it: the first leader event must find it.
	drained := h.registerLocked(r, replicaContext{ctx: rctx, cancel: cancel, running: &sync.WaitGroup{}})
	h.mu.Unlock()
	go r.proposer.run(drained)
	initial, join := spec.Initial, spec.Join
	if past.bootstrapped {
		initial, join = nil, false
	}
	for {
		err = h.nh.StartOnDiskReplica(initial, join, func(uint64, uint64) sm.IOnDiskStateMachine { return r }, h.config(spec, past))
		if !errors.Is(err, dragonboat.ErrShardAlreadyExist) || ctx.Err() != nil {
			break
		}
		atStartTooEarly.Hit()
		sleep(ctx, retryEvery/4) // stopped a moment ago: dragonboat closes the machine before it forgets the replica
	}
	if err != nil {
		r.proposer.shut(ErrClosed)
		h.unregister(r)
		if errors.Is(err, dragonboat.ErrReplicaRemoved) {
			atStartRemoved.Hit()
			err = fmt.Errorf("%w: %w", ErrReplicaRemoved, err)
		}
		return errors.Join(err, m.Close())
	}
	r.payloads.run()
	return nil
}

// config is a replica's Raft configuration.
func (h *Host) config(spec ReplicaSpec, past past) config.Config {
	return config.Config{
		ShardID: spec.Shard, ReplicaID: spec.Replica,
		CheckQuorum: true, PreVote: true,
		// A change names the configuration that it was decided on; apply refuses it on any other.
		OrderedConfigChange: true,
		ElectionRTT:         h.o.ElectionRTT, HeartbeatRTT: h.o.HeartbeatRTT,
		SnapshotEntries: 0, CompactionOverhead: keepAll, // by our own request, by bytes
		MaxInMemLogSize: h.o.Limits.InMemoryLogBytes,
		IsNonVoting:     past.nonVoting(spec.NonVoting),
		Quiesce:         false,
	}
}

// openReplica opens the machine and compares what it says with the log.
func (h *Host) openReplica(ctx context.Context, spec ReplicaSpec, m Machine, past past) (*replica, error) {
	applied, meta, err := m.Open(ctx.Done())
	if err != nil {
		return nil, fmt.Errorf("open machine: %w", err)
	}
	if applied > past.lastIndex {
		atRowsAheadOfLog.Hit()
		// dragonboat would skip later entries up to applied, silently: divergence.
		return nil, fmt.Errorf("%w: rows are at %d, the log ends at %d", ErrDamaged, applied, past.lastIndex)
	}
	if past.snapshot.Dummy && past.snapshot.OnDiskIndex > applied {
		atRowsBehindLog.Hit()
		// The entries in between are gone; dragonboat would panic at every start (#410).
		return nil, fmt.Errorf("%w: rows are at %d, the log begins behind %d", ErrDamaged, applied, past.snapshot.OnDiskIndex)
	}
	state, err := stream.DecodeMeta(meta)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	r := &replica{host: h, shard: spec.Shard, replica: spec.Replica, machine: m, openApplied: applied, state: state, unloaded: make(chan struct{}), stopping: make(chan struct{})}
	r.session = h.nh.GetNoOPSession(spec.Shard)
	if r.payloads, err = newPuller(h, spec.Shard, spec.Replica, m); err != nil {
		return nil, err
	}
	l := h.o.Limits
	r.keeper = &keeper{snapshotBytes: l.SnapshotBytes, keepBytes: l.LogKeepBytes, ask: func() { h.snapshotInBackground(r) }}
	group := raftGroup(r)
	if h.o.test.group != nil {
		group = h.o.test.group(r)
	}
	r.proposer = newProposer(h.o.Node, l, h.o.Logger, group, newWindow(l.ShardWindowBytes, h.nodeWindow))
	r.proposer.leadership, r.proposer.present = r.reading, r.ownStream
	r.applied, r.stream = applied, state.Stream(h.o.Node)
	r.appliedTerm, r.appliedNode, r.clock = state.Term(), state.Leader(), state.Clock()
	return r, nil
}

func (r *replica) ownStream() stream.Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream
}
