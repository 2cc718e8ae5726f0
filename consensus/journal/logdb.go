package journal

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// The methods dragonboat calls. Which goroutine calls what, and what each may rely on, is said at each.

var _ raftio.ILogDB = (*Journal)(nil)

// logName is in dragonboat's flag file: never change it.
const logName = "tallymq-journal"

// Factory hands this very journal to a NodeHost. The journal outlives the NodeHost: closing the one does not close the other.
func (j *Journal) Factory() config.LogDBFactory { return factory{j} }

type factory struct{ j *Journal }

func (f factory) Name() string { return logName }

func (f factory) Create(config.NodeHostConfig, config.LogDBCallback, []string, []string) (raftio.ILogDB, error) {
	return logDB{f.j}, nil
}

// logDB is the journal without its Close.
type logDB struct{ *Journal }

func (logDB) Close() error { return nil }

// Name is the log store's type name.
func (j *Journal) Name() string { return logName }

// BinaryFormat is dragonboat's number for entries that are stored one by one.
func (j *Journal) BinaryFormat() uint32 { return raftio.PlainLogDBBinVersion }

// ListNodeInfo lists the replicas with a bootstrap record.
func (j *Journal) ListNodeInfo() ([]raftio.NodeInfo, error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	infos := []raftio.NodeInfo{}
	for id, r := range j.ledger.replicas {
		if r.bootstrap != nil {
			infos = append(infos, raftio.GetNodeInfo(id.shard, id.replica))
		}
	}
	slices.SortFunc(infos, func(a, b raftio.NodeInfo) int {
		return cmp.Or(cmp.Compare(a.ShardID, b.ShardID), cmp.Compare(a.ReplicaID, b.ReplicaID))
	})
	return infos, nil
}

// SaveBootstrapInfo is durable on return.
func (j *Journal) SaveBootstrapInfo(shard, replica uint64, b pb.Bootstrap) error {
	body, err := b.Marshal()
	if err != nil {
		return fmt.Errorf("bootstrap of %d/%d: %w", shard, replica, err)
	}
	return j.submit(descriptor{kind: kindBootstrap, id: replicaID{shard, replica}}, body)
}

// GetBootstrapInfo gives raftio.ErrNoBootstrapInfo for a replica that was never here or is removed.
func (j *Journal) GetBootstrapInfo(shard, replica uint64) (b pb.Bootstrap, err error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	r := j.ledger.replicas[replicaID{shard, replica}]
	if r == nil || r.bootstrap == nil {
		return b, raftio.ErrNoBootstrapInfo
	}
	if err := b.Unmarshal(r.bootstrap); err != nil {
		return b, fmt.Errorf("bootstrap of %d/%d: %w", shard, replica, err)
	}
	return b, nil
}

// submitted is the last state appended for a replica, durable or not.
type submitted = pb.State

// plan is one call's records: descriptors, and for each what to marshal into its body.
type plan struct {
	ds     []descriptor
	bodies []body
	urgent bool
}

type body struct {
	entry *pb.Entry
	state pb.State
	raw   []byte
}

func (p *plan) add(d descriptor, b body) {
	p.ds = append(p.ds, d)
	p.bodies = append(p.bodies, b)
}

// SaveRaftState makes updates durable, each of them atomically; all are in one batch. Called by each step worker for
// its own shards. An update that only moves Commit is appended in log order but not waited for: a restart with an older
// commit index is legal in Raft. Otherwise a lone proposal would cost two syncs.
func (j *Journal) SaveRaftState(updates []pb.Update, _ uint64) error {
	var p plan
	for i := range updates {
		if err := p.update(&updates[i]); err != nil {
			return err
		}
	}
	a := &j.append
	a.mu.Lock()
	p.states(updates, a.submitted)
	if len(p.ds) == 0 {
		err := a.err
		a.mu.Unlock()
		return err
	}
	b, err := j.reserveLocked(p.ds, p.urgent)
	if err == nil {
		for i := range p.ds {
			if p.ds[i].kind == kindState {
				a.submitted[p.ds[i].id] = p.bodies[i].state
			}
		}
	}
	a.mu.Unlock()
	if err != nil {
		return err
	}
	err = p.marshal(b.mem())
	if err != nil {
		// The room is taken and the batch is no longer what was asked: nothing of it may be written.
		j.fail(err)
	}
	b.fillers.Done()
	if err != nil || !p.urgent {
		return err
	}
	<-b.done
	return b.err
}

// update plans the snapshot, which resets the log, then the entries. The state follows in states.
func (p *plan) update(u *pb.Update) error {
	id := replicaID{u.ShardID, u.ReplicaID}
	if !pb.IsEmptySnapshot(u.Snapshot) {
		b, err := u.Snapshot.Marshal()
		if err != nil {
			return fmt.Errorf("snapshot of %d/%d: %w", u.ShardID, u.ReplicaID, err)
		}
		p.add(descriptor{kind: kindReset, id: id, index: u.Snapshot.Index, term: u.Snapshot.Term, length: uint32(len(b))}, body{raw: b})
		p.urgent = true
	}
	for k := range u.EntriesToSave {
		e := &u.EntriesToSave[k]
		if k > 0 && e.Index != u.EntriesToSave[k-1].Index+1 {
			return fmt.Errorf("BUG: replica %d/%d saves entry %d behind %d", u.ShardID, u.ReplicaID, e.Index, u.EntriesToSave[k-1].Index)
		}
		d, err := entryDescriptor(kindEntry, id, e)
		if err != nil {
			return err
		}
		p.add(d, body{entry: e})
		p.urgent = true
	}
	return nil
}

func entryDescriptor(k kind, id replicaID, e *pb.Entry) (descriptor, error) {
	n := e.Size()
	if n > bodyBytesMax {
		return descriptor{}, fmt.Errorf("entry %d of %d/%d has %d bytes, at most %d are possible", e.Index, id.shard, id.replica, n, bodyBytesMax)
	}
	d := descriptor{kind: k, id: id, index: e.Index, term: e.Term, length: uint32(n), extra: uint32(len(e.Cmd))}
	if e.Type == pb.EncodedEntry && len(e.Cmd) > 0 && e.Cmd[0] == commandHeader {
		d.flags = flagNamed
	}
	return d, nil
}

// commandHeader is the byte dragonboat puts before an uncompressed command without session data.
const commandHeader = 0

// states plans the states that changed. Only a new term or vote must be durable before anything is sent.
func (p *plan) states(updates []pb.Update, last map[replicaID]submitted) {
	for i := range updates {
		u := &updates[i]
		if pb.IsEmptyState(u.State) {
			continue
		}
		id := replicaID{u.ShardID, u.ReplicaID}
		old := last[id]
		if pb.IsStateEqual(old, u.State) {
			continue
		}
		if old.Term != u.State.Term || old.Vote != u.State.Vote {
			p.urgent = true
		}
		p.add(descriptor{kind: kindState, id: id, length: stateBytes}, body{state: u.State})
	}
}

// marshal fills the reserved room, straight in the batch.
func (p *plan) marshal(mem []byte) error {
	for i := range p.ds {
		d, b := &p.ds[i], &p.bodies[i]
		room := mem[d.offset : d.offset+d.length]
		switch {
		case b.entry != nil:
			n, err := b.entry.MarshalTo(room)
			if err != nil || n != len(room) {
				return fmt.Errorf("BUG: entry %d marshals to %d bytes, not %d: %v", d.index, n, len(room), err)
			}
		case b.raw != nil:
			copy(room, b.raw)
		default:
			putState(room, b.state)
		}
		d.crc = checksum(room)
	}
	return nil
}

// ReadRaftState is called when a replica starts, with its snapshot's index. Commit is never below the snapshot: the
// snapshot's record may have become durable before the state that committed it.
func (j *Journal) ReadRaftState(shard, replica, snapshotIndex uint64) (raftio.RaftState, error) {
	if err := j.settle(); err != nil {
		return raftio.RaftState{}, err
	}
	j.mu.RLock()
	defer j.mu.RUnlock()
	r := j.ledger.replicas[replicaID{shard, replica}]
	if r == nil || pb.IsEmptyState(r.state) {
		return raftio.RaftState{}, raftio.ErrNoSavedLog
	}
	s := raftio.RaftState{State: r.state, FirstIndex: r.first, EntryCount: uint64(len(r.entries))}
	s.State.Commit = max(s.State.Commit, r.snapshotIndex)
	if len(r.entries) == 0 || r.last() <= snapshotIndex {
		// Nothing above the snapshot. A log that ends below it says nothing: an empty range is the honest answer.
		atLogBehindSnapshot.Hit()
		s.FirstIndex, s.EntryCount = snapshotIndex+1, 0
		if len(r.entries) > 0 && r.last() == snapshotIndex {
			s.FirstIndex, s.EntryCount = r.first, uint64(len(r.entries))
		}
	}
	return s, nil
}

// IterateEntries appends entries low..high-1, up to and with the one that takes their size past maxSize. Any error it
// returns ends the whole NodeHost, so a damaged entry is reported first and given time to be repaired.
func (j *Journal) IterateEntries(ents []pb.Entry, size, shard, replica, low, high, maxSize uint64) ([]pb.Entry, uint64, error) {
	id := replicaID{shard, replica}
	var buf []byte
	for index := low; index < high; index++ {
		var e pb.Entry
		var err error
		if e, buf, err = j.raftEntry(id, index, buf); errors.Is(err, ErrNotFound) {
			break
		} else if err != nil {
			return nil, 0, err
		}
		size += uint64(e.SizeUpperLimit())
		ents = append(ents, e)
		if size > maxSize {
			break
		}
	}
	return ents, size, nil
}

// raftEntry reads an entry in Raft's range. If it is damaged it waits for a repair.
func (j *Journal) raftEntry(id replicaID, index uint64, buf []byte) (e pb.Entry, _ []byte, err error) {
	var deadline <-chan time.Time
	for {
		repaired := j.damage.repair()
		e, buf, err = j.tryRaftEntry(id, index, buf)
		if !errors.Is(err, ErrDamaged) || j.opts.OnDamage == nil {
			return e, buf, err
		}
		if deadline == nil {
			atEntryAwaitsRepair.Hit()
			t := time.NewTimer(repairWait)
			defer t.Stop()
			deadline = t.C
		}
		select {
		case <-repaired:
			atEntryRepairedInTime.Hit()
		case <-deadline:
			atEntryNotRepaired.Hit()
			return e, buf, err
		case <-j.stop:
			return e, buf, ErrClosed
		}
	}
}

func (j *Journal) tryRaftEntry(id replicaID, index uint64, buf []byte) (e pb.Entry, _ []byte, err error) {
	j.mu.RLock()
	r := j.ledger.replicas[id]
	if r == nil || !r.covers(index) {
		j.mu.RUnlock()
		return e, buf, ErrNotFound
	}
	at := *r.at(index)
	if at.segment == 0 {
		commit := r.state.Commit
		j.mu.RUnlock()
		d := Damage{Shard: id.shard, Replica: id.replica, Index: index, Kind: LostEntry, Repairable: index <= commit}
		j.damage.add(d)
		return e, buf, &d
	}
	pin, err := j.readers.acquire(at.segment)
	j.mu.RUnlock()
	if err != nil {
		return e, buf, err
	}
	defer j.readers.release(pin)
	w := at.row(index)
	e, buf, err = j.decodeRow(at.segment, &w, buf)
	if d := (*Damage)(nil); errors.As(err, &d) {
		atEntryDamaged.Hit()
		d.Shard, d.Replica, d.Kind, d.Repairable = id.shard, id.replica, DamagedEntry, true
		j.damage.add(*d)
	}
	return e, buf, err
}

// decodeRow reads and unmarshals an entry. Unmarshal copies, so buf may be used again.
func (j *Journal) decodeRow(segment uint64, w *row, buf []byte) (e pb.Entry, _ []byte, err error) {
	if buf, err = j.readRow(segment, w, buf[:0]); err != nil {
		return e, buf, err
	}
	if err := e.Unmarshal(buf); err != nil {
		return e, buf, fmt.Errorf("entry %d in segment %d at %d: %w: %w", w.index, segment, w.offset, ErrDamaged, err)
	}
	if e.Index != w.index || e.Term != w.term {
		return e, buf, fmt.Errorf("entry %d term %d in segment %d at %d reads as %d term %d: %w", w.index, w.term, segment,
			w.offset, e.Index, e.Term, ErrDamaged)
	}
	return e, buf, nil
}

// RemoveEntriesTo moves the removal mark. Called by step workers: it waits for nothing.
func (j *Journal) RemoveEntriesTo(shard, replica, index uint64) error {
	return j.lazily(descriptor{kind: kindTrim, id: replicaID{shard, replica}, index: index}, nil)
}

// CompactEntriesTo frees nothing by itself, garbage collection does; it also comes for replicas that are not loaded.
func (j *Journal) CompactEntriesTo(_, _, _ uint64) (<-chan struct{}, error) {
	done := make(chan struct{}, 1)
	done <- struct{}{}
	return done, nil
}

// SaveSnapshots records local snapshots; the log stays. Called by snapshot workers beside SaveRaftState of the same
// shard. Older ones than the latest are dropped.
func (j *Journal) SaveSnapshots(updates []pb.Update) error {
	var p plan
	for i := range updates {
		u := &updates[i]
		if pb.IsEmptySnapshot(u.Snapshot) {
			continue
		}
		b, err := u.Snapshot.Marshal()
		if err != nil {
			return fmt.Errorf("snapshot of %d/%d: %w", u.ShardID, u.ReplicaID, err)
		}
		p.add(descriptor{kind: kindSnapshot, id: replicaID{u.ShardID, u.ReplicaID}, index: u.Snapshot.Index, term: u.Snapshot.Term,
			length: uint32(len(b))}, body{raw: b})
	}
	if len(p.ds) == 0 {
		return nil
	}
	return j.submitPlan(&p)
}

// submitPlan appends a plan and waits until it is durable.
func (j *Journal) submitPlan(p *plan) error {
	b, err := j.reserve(p.ds, true)
	if err != nil {
		return err
	}
	if err := p.marshal(b.mem()); err != nil {
		j.fail(err)
	}
	b.fillers.Done()
	<-b.done
	return b.err
}

// GetSnapshot gives the newest snapshot's record, or an empty one. It never goes back.
func (j *Journal) GetSnapshot(shard, replica uint64) (ss pb.Snapshot, err error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	r := j.ledger.replicas[replicaID{shard, replica}]
	if r == nil || r.snapshot == nil {
		return ss, nil
	}
	// A new one each time: dragonboat counts references in it.
	if err := ss.Unmarshal(r.snapshot); err != nil {
		return ss, fmt.Errorf("snapshot of %d/%d: %w", shard, replica, err)
	}
	return ss, nil
}

// RemoveNodeData drops a replica's Raft data, its bootstrap record too. Payloads stay until nobody names them.
func (j *Journal) RemoveNodeData(shard, replica uint64) error {
	return j.renew(descriptor{kind: kindRemove, id: replicaID{shard, replica}}, nil)
}

// ImportSnapshot begins a new history of a replica from an exported snapshot.
func (j *Journal) ImportSnapshot(ss pb.Snapshot, replica uint64) error {
	if ss.Type == pb.UnknownStateMachine {
		return fmt.Errorf("import into %d/%d: unknown state machine type", ss.ShardID, replica)
	}
	b, err := ss.Marshal()
	if err != nil {
		return fmt.Errorf("import into %d/%d: %w", ss.ShardID, replica, err)
	}
	return j.renew(descriptor{kind: kindImport, id: replicaID{ss.ShardID, replica}, index: ss.Index, term: ss.Term}, b)
}

// renew appends a record after which no earlier state counts.
func (j *Journal) renew(d descriptor, body []byte) error {
	j.append.mu.Lock()
	delete(j.append.submitted, d.id)
	j.append.mu.Unlock()
	return j.submit(d, body)
}
