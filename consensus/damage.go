package consensus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	pb "github.com/lni/dragonboat/v4/raftpb"

	"github.com/tallymq/tallymq/consensus/journal"
)

// entries is how a damaged entry of Raft's range is put right.
type entries interface {
	ReadEntry(shard, replica, index uint64) (pb.Entry, error)
	RepairEntry(shard, replica uint64, e pb.Entry) error
	Damages() []journal.Damage
}

// OnDamage is to be wired to the journal's Options.OnDamage: what a peer can put right is repaired in the background;
// anything else marks the replica damaged (ReplicaStatus.Damaged), so that it is rebuilt under a new replica id.
func (h *Host) OnDamage(d journal.Damage) {
	if r := h.replica(d.Shard); r != nil && r.replica == d.Replica {
		h.repairInBackground(r, d)
	}
}

func (h *Host) repairInBackground(r *replica, d journal.Damage) {
	switch {
	case !d.Repairable:
		atDamageBeyondRepair.Hit()
		r.setDamaged(fmt.Errorf("%w: %v", ErrDamaged, d))
	case d.Kind == journal.DamagedPayload:
		atDamagedPayloadPulled.Hit()
		// The rows know its name, so it is a missing payload like any other.
		if err := r.payloads.begin(damagedSpan(d)); err != nil {
			r.setDamaged(fmt.Errorf("%w: %v: %w", ErrDamaged, d, err))
			return
		}
		r.payloads.run()
	default:
		h.background(d.Shard, d.Replica, func(ctx context.Context) {
			for ctx.Err() == nil {
				err := h.repairEntry(ctx, d)
				if err == nil {
					return
				}
				atRepairFailed.Hit()
				h.o.Logger.Warn("entry not repaired yet", "damage", d.String(), "err", err)
				sleep(ctx, 10*retryEvery)
			}
		})
	}
}

func (r *replica) setDamaged(err error) {
	r.mu.Lock()
	if r.damaged == nil {
		r.damaged = err
	}
	r.mu.Unlock()
	r.host.o.Logger.Error("replica is damaged", "shard", r.shard, "replica", r.replica, "err", err)
}

// damagedSpan is which entries may have lost payloads by a damage.
func damagedSpan(d journal.Damage) entryspan {
	if d.Index == 0 {
		return entriesFrom(1)
	}
	return entryspan{d.Index, d.Index}
}

// repairKnown repairs what the journal found before the replica is started, within ctx. Payloads of the entries in the
// span are to be pulled once it runs.
func (h *Host) repairKnown(ctx context.Context, shard, replica uint64) (payloads entryspan, err error) {
	for _, d := range h.payloads.Damages() {
		if d.Shard != shard || d.Replica != replica {
			continue
		}
		switch {
		case !d.Repairable:
			atStartDamaged.Hit()
			return payloads, fmt.Errorf("%w: %v", ErrDamaged, d)
		case d.Kind == journal.DamagedPayload:
			atStartPayloadsDamaged.Hit()
			payloads = payloads.with(damagedSpan(d))
		default:
			atStartRepairsEntry.Hit()
			if err := h.repairEntry(ctx, d); err != nil {
				return payloads, fmt.Errorf("%w: %v: %w", ErrDamaged, d, err)
			}
		}
	}
	return payloads, nil
}

// repairEntry asks the shard's other hosts for the entry. Only an entry of the same index and term can be the same one.
func (h *Host) repairEntry(ctx context.Context, d journal.Damage) error {
	errs := []error{ErrUnreachable}
	for _, node := range h.hostsOf(d.Shard) {
		if node == h.o.Node {
			continue
		}
		e, err := h.fetchEntry(ctx, node, d)
		if err == nil {
			err = h.payloads.RepairEntry(d.Shard, d.Replica, e)
		}
		if err == nil {
			atEntryRepaired.Hit()
			h.o.Logger.Info("entry repaired from a peer", "damage", d.String(), "node", node)
			return nil
		}
		errs = append(errs, fmt.Errorf("node %d: %w", node, err))
	}
	return errors.Join(errs...)
}

func (h *Host) fetchEntry(ctx context.Context, node NodeID, d journal.Damage) (pb.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, d.Shard), d.Index)
	reply, err := h.Call(ctx, node, methodEntry, body)
	if err != nil {
		return pb.Entry{}, err
	}
	var e pb.Entry
	if err := e.Unmarshal(reply); err != nil {
		return pb.Entry{}, fmt.Errorf("%w: entry: %w", errMalformed, err)
	}
	if e.Index != d.Index || (d.Term != 0 && e.Term != d.Term) {
		return pb.Entry{}, fmt.Errorf("%w: entry %d/%d instead of %d/%d", errMalformed, e.Index, e.Term, d.Index, d.Term)
	}
	return e, nil
}

// serveEntry hands out a committed entry: what is applied here is committed, and the same on every replica.
func (h *Host) serveEntry(_ context.Context, _ NodeID, body []byte) ([]byte, error) {
	if len(body) != 16 {
		return nil, fmt.Errorf("%w: entry request of %d bytes", errMalformed, len(body))
	}
	shard, index := binary.LittleEndian.Uint64(body), binary.LittleEndian.Uint64(body[8:])
	r := h.replica(shard)
	if r == nil {
		return nil, ErrNoReplica
	}
	r.mu.Lock()
	applied := r.applied
	r.mu.Unlock()
	if index > applied {
		atEntryNotApplied.Hit()
		return nil, fmt.Errorf("entry %d is not applied here, only %d", index, applied)
	}
	e, err := h.payloads.ReadEntry(shard, r.replica, index)
	if err != nil {
		return nil, err
	}
	return e.Marshal()
}
