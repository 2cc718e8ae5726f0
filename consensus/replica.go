package consensus

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/client"
	sm "github.com/lni/dragonboat/v4/statemachine"

	"github.com/tallymq/tallymq/consensus/stream"
)

var errInstalled = errors.New("a snapshot was installed over it")

// replica is one local member of a shard: the machine as dragonboat sees it, the node's proposer, and what is known of
// the leadership.
type replica struct {
	host           *Host
	shard, replica uint64
	machine        Machine
	proposer       *proposer
	session        *client.Session
	payloads       *puller
	keeper         *keeper

	openApplied uint64        // what Machine.Open said
	unloaded    chan struct{} // closed when dragonboat closed the machine
	stopping    chan struct{} // closed when it is to be unloaded
	stop        sync.Once     // closes stopping

	// Only Update and RecoverFromSnapshot, which dragonboat never runs at the same time, touch these.
	state   stream.State
	entry   stream.Entry
	batch   ApplyBatch
	own     []ownEntry
	slots   []int32 // for each command of own entries: its place in batch.Commands, or one of the below
	metaBuf []byte

	halted atomic.Bool // an apply failed: nothing is applied, synced or snapshotted any more

	mu sync.Mutex
	leadershipState
	applied uint64
	stream  stream.Stream // of this node, as applied
	removed bool
	damaged error
}

// slotStale marks a command that was refused because its term is stale.
const slotStale int32 = -1

// ownEntry is an entry of this node among those of one Update.
type ownEntry struct {
	header  stream.Header
	verdict stream.Verdict
	slots   int // where its slots begin
}

var _ sm.IOnDiskStateMachine = (*replica)(nil)

// propose hands one entry to dragonboat. Its timeout only frees dragonboat's bookkeeping; the outcome is the apply's.
func (r *replica) propose(cmd []byte) (*dragonboat.RequestState, error) {
	return r.host.nh.Propose(r.session, cmd, 2*r.host.o.Limits.ResendAfter)
}

// Open is called once by dragonboat; the machine was opened by StartReplica, which could still refuse.
func (r *replica) Open(<-chan struct{}) (uint64, error) { return r.openApplied, nil }

// Lookup is not used: machines are read directly.
func (r *replica) Lookup(any) (any, error) { return nil, nil }

// Sync makes everything applied durable.
func (r *replica) Sync() error {
	if r.halted.Load() {
		return sm.ErrSnapshotStopped
	}
	return r.machine.Sync()
}

// Close is called once, by dragonboat, when the replica is unloaded.
func (r *replica) Close() error {
	defer close(r.unloaded)
	return r.machine.Close()
}

// Update applies committed entries. They are on a majority's disks and on this one's; the rows need not be durable.
func (r *replica) Update(entries []sm.Entry) ([]sm.Entry, error) {
	if r.halted.Load() {
		return entries, nil
	}
	actApplyLate.Pause(actWaitShort)
	b := &r.batch
	b.Commands = b.Commands[:0]
	r.own, r.slots = r.own[:0], r.slots[:0]
	started, bytes := false, int64(0)
	for i := range entries {
		if err := stream.Decode(entries[i].Cmd, &r.entry); err != nil {
			// Committed, so every replica has these bytes: going on without them would be to diverge from those that can read them.
			return nil, fmt.Errorf("consensus: shard %d index %d: %w", r.shard, entries[i].Index, err)
		}
		r.take(entries[i].Index, &started)
		bytes += int64(len(entries[i].Cmd))
	}
	if len(entries) == 0 {
		return entries, nil
	}
	b.Applied = entries[len(entries)-1].Index
	b.Term = r.state.Term()
	r.metaBuf = r.state.AppendMeta(r.metaBuf[:0])
	b.Meta = r.metaBuf
	if err := r.machine.Apply(b); err != nil {
		return r.halt(entries, fmt.Errorf("%w: apply up to %d: %w", ErrDamaged, b.Applied, err))
	}
	// The effects are visible to readers now; only after that may a caller hear that its command was applied.
	r.publish(b.Applied, started)
	for i := range r.own {
		o := &r.own[i]
		r.proposer.observe(o.header, o.verdict, func(k int) ([]byte, error) { return r.result(o, k) })
	}
	r.keeper.applied(b.Applied, bytes)
	clear(b.Commands)
	return entries, nil
}

// halt ends a replica whose machine cannot apply. dragonboat would panic, which tells an operator nothing and takes the
// process before the owner could say why; so the apply worker stays here until the replica is stopped or the host closed.
// Nothing was published: no reader sees the entries, no caller hears that they were applied, no snapshot marks them as
// applied. The worker serves other shards too: they wait as long, so the owner must stop the replica.
func (r *replica) halt(entries []sm.Entry, err error) ([]sm.Entry, error) {
	atApplyFailed.Hit()
	r.setDamaged(err)
	select {
	case <-r.host.ctx.Done():
	case <-r.stopping:
	}
	r.halted.Store(true)
	return entries, nil
}

// take lets the stream judge r.entry and adds what is accepted to the batch.
func (r *replica) take(index uint64, started *bool) {
	e, b := &r.entry, &r.batch
	v := r.state.Apply(e)
	slots := len(r.slots)
	switch v.Outcome {
	case stream.Started:
		b.Commands = append(b.Commands, Command{Index: index, Term: r.state.Term(), Clock: r.state.Clock(), Wall: e.Wall, Node: e.Node, LeaderStart: true})
		*started = *started || e.Node == r.host.o.Node
	case stream.Applied:
		old := !r.state.TellsTime(&e.Header)
		for i := range e.Commands[v.Skip:] {
			c := &e.Commands[v.Skip+i]
			if r.state.Stale(c) {
				atStaleTerm.Hit()
				r.slots = append(r.slots, slotStale)
				continue
			}
			r.slots = append(r.slots, int32(len(b.Commands)))
			b.Commands = append(b.Commands, Command{Index: index, Position: c.Position, Body: c.Body, Term: c.Term, Clock: r.state.Clock(), ClockOld: old, Wall: e.Wall, Node: e.Node})
		}
	}
	if e.Node == r.host.o.Node {
		r.own = append(r.own, ownEntry{header: e.Header, verdict: v, slots: slots})
	}
}

func (r *replica) result(o *ownEntry, i int) ([]byte, error) {
	slot := r.slots[o.slots+i]
	if slot == slotStale {
		return nil, ErrStaleTerm
	}
	return r.batch.Commands[slot].Result, nil
}

// publish makes what was applied known to everybody else in this process.
func (r *replica) publish(applied uint64, started bool) {
	r.mu.Lock()
	r.applied = applied
	r.stream = r.state.Stream(r.host.o.Node)
	r.advanceLocked(&r.state, started, time.Now())
	r.mu.Unlock()
}

// PrepareSnapshot fixes the view that SaveSnapshot writes.
func (r *replica) PrepareSnapshot() (any, error) {
	if r.halted.Load() {
		return nil, sm.ErrSnapshotStopped // what dragonboat calls applied is not in the rows
	}
	return r.machine.PrepareSnapshot()
}

// snapshotVersion is the first byte of a snapshot stream; the machine's rows follow.
const snapshotVersion = 1

// SaveSnapshot streams the rows to a peer; payloads are pulled by it afterwards.
func (r *replica) SaveSnapshot(view any, w io.Writer, stop <-chan struct{}) error {
	atSnapshotSent.Hit()
	t := &tellingWriter{w: w}
	_, err := t.Write([]byte{snapshotVersion})
	if serr := r.machine.SaveSnapshot(view, t, stop); err == nil {
		err = serr
	}
	switch {
	case t.err != nil:
		atSnapshotSendBroke.Hit()
		return t.err // dragonboat knows its own errors, however the machine wrapped them
	case err != nil && isClosed(stop):
		atSnapshotSendStopped.Hit()
		return sm.ErrSnapshotStopped
	}
	return err
}

// RecoverFromSnapshot installs a leader's rows. Raft's log already begins behind them, durably.
func (r *replica) RecoverFromSnapshot(src io.Reader, stop <-chan struct{}) error {
	// The mark says that rows may name payloads which are not here. It is durable before the first such row can be, so a
	// crash from here on finds the pull to be finished.
	if err := r.payloads.install(r.status().Applied); err != nil {
		return fmt.Errorf("consensus: shard %d replica %d: mark the pull: %w", r.shard, r.replica, err)
	}
	atSnapshotReceived.Hit()
	var version [1]byte
	if _, err := io.ReadFull(src, version[:]); err != nil {
		return fmt.Errorf("consensus: shard %d replica %d: read snapshot: %w", r.shard, r.replica, err)
	}
	if version[0] != snapshotVersion {
		return fmt.Errorf("consensus: shard %d replica %d: snapshot of unknown version %d", r.shard, r.replica, version[0])
	}
	applied, meta, err := r.machine.InstallSnapshot(src, stop)
	if err != nil {
		if isClosed(stop) {
			atInstallStopped.Hit()
			return sm.ErrSnapshotStopped
		}
		return fmt.Errorf("consensus: shard %d replica %d: install snapshot: %w", r.shard, r.replica, err)
	}
	state, err := stream.DecodeMeta(meta)
	if err != nil {
		return fmt.Errorf("consensus: shard %d replica %d: installed snapshot: %w", r.shard, r.replica, err)
	}
	atSnapshotInstalled.Hit()
	r.state = state
	r.publish(applied, false)
	r.proposer.installed(r.state.Stream(r.host.o.Node))
	r.payloads.installed()
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tellingWriter remembers the first error of what it writes to.
type tellingWriter struct {
	w   io.Writer
	err error
}

func (t *tellingWriter) Write(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.w.Write(p)
	t.err = err
	return n, err
}
