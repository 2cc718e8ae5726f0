package consensus

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lni/dragonboat/v4"
)

// changeKind is a membership change on the wire.
type changeKind uint8

const (
	changeAddVoter changeKind = iota + 1 // adds, or promotes
	changeAddNonVoting
	changeRemove
)

// Membership reads the shard's configuration, linearizably; asked of a host of the shard if this node is none.
func (h *Host) Membership(ctx context.Context, shard uint64) (Membership, error) {
	if h.replica(shard) != nil {
		return h.localMembership(ctx, shard)
	}
	var m Membership
	reply, err := h.askHosts(ctx, shard, methodMembership, binary.LittleEndian.AppendUint64(nil, shard))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(reply, &m); err != nil {
		return m, fmt.Errorf("%w: membership: %w", errMalformed, err)
	}
	return m, nil
}

// AddReplica makes replica a member: with nonVoting as one that only follows, without it as a voter, which promotes a
// non-voting one once it is whole. Repeating it changes nothing.
func (h *Host) AddReplica(ctx context.Context, shard, replica uint64, raftAddr string, nonVoting bool) error {
	kind := changeAddVoter
	if nonVoting {
		kind = changeAddNonVoting
	}
	return h.change(ctx, kind, shard, replica, raftAddr)
}

// RemoveReplica removes a member, for ever: the id can never come back. Repeating it changes nothing.
func (h *Host) RemoveReplica(ctx context.Context, shard, replica uint64) error {
	return h.change(ctx, changeRemove, shard, replica, "")
}

// RemoveReplicaAt is RemoveReplica decided on the membership with that ConfigChangeID: on any other nothing is done, and
// ErrMembershipChanged says so. Whoever decided long ago, and does not know that others decided since, takes out nobody
// whom the present membership needs. Only a host of the shard can be asked.
func (h *Host) RemoveReplicaAt(ctx context.Context, shard, replica, at uint64) error {
	if h.replica(shard) == nil {
		return ErrNoReplica
	}
	return h.localChangeAt(ctx, changeRemove, shard, replica, "", &at)
}

// TransferLeader asks for leadership to move to replica; asked of the leader if that is another node, because dragonboat
// lets only the leader do it. There is no guarantee that it happens.
func (h *Host) TransferLeader(shard, replica uint64) error {
	if h.replica(shard) == nil {
		return ErrNoReplica
	}
	return h.nh.RequestLeaderTransfer(shard, replica)
}

func (h *Host) change(ctx context.Context, kind changeKind, shard, replica uint64, raftAddr string) error {
	if h.replica(shard) != nil {
		return h.localChange(ctx, kind, shard, replica, raftAddr)
	}
	body := append([]byte{byte(kind)}, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, shard), replica)...)
	_, err := h.askHosts(ctx, shard, methodChange, append(body, raftAddr...))
	return err
}

// askHosts asks the shard's hosts, leader first, until one answers. Everything asked so is idempotent.
func (h *Host) askHosts(ctx context.Context, shard uint64, method string, body []byte) ([]byte, error) {
	errs := []error{ErrNoReplica}
	for _, node := range h.leaderFirst(shard) {
		if node == h.o.Node {
			continue
		}
		reply, err := h.Call(ctx, node, method, body)
		if err == nil {
			return reply, nil
		}
		if !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrNoReplica) && !errors.Is(err, ErrUnknownNode) {
			return nil, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (h *Host) localMembership(ctx context.Context, shard uint64) (Membership, error) {
	var m *dragonboat.Membership
	err := h.retry(ctx, func(ctx context.Context) (err error) {
		m, err = h.nh.SyncGetShardMembership(ctx, shard)
		return err
	})
	if err != nil {
		return Membership{}, fmt.Errorf("consensus: membership of shard %d: %w", shard, err)
	}
	out := Membership{ConfigChangeID: m.ConfigChangeID, Voters: m.Nodes, NonVoting: m.NonVotings, Removed: map[ReplicaID]bool{}}
	for id := range m.Removed {
		out.Removed[id] = true
	}
	return out, nil
}

// localChange looks, asks, and looks again until the configuration is as wanted: a request that timed out may have been
// carried out, so only a linearizable look decides.
func (h *Host) localChange(ctx context.Context, kind changeKind, shard, replica uint64, raftAddr string) error {
	return h.localChangeAt(ctx, kind, shard, replica, raftAddr, nil)
}

func (h *Host) localChangeAt(ctx context.Context, kind changeKind, shard, replica uint64, raftAddr string, at *uint64) error {
	for {
		m, err := h.localMembership(ctx, shard)
		if err != nil {
			return err
		}
		done, err := changeDone(m, kind, replica)
		if done || err != nil {
			return err
		}
		if at != nil && m.ConfigChangeID != *at {
			atMembershipChanged.Hit()
			return fmt.Errorf("%w: shard %d is at %d, not at %d", ErrMembershipChanged, shard, m.ConfigChangeID, *at)
		}
		if addr, ok := m.NonVoting[replica]; ok && kind == changeAddVoter {
			atPromoted.Hit()
			if err := h.checkWhole(ctx, shard, replica, addr); err != nil {
				return err
			}
		}
		rctx, cancel := context.WithTimeout(ctx, h.attempt())
		switch kind {
		case changeAddVoter:
			err = h.nh.SyncRequestAddReplica(rctx, shard, replica, raftAddr, m.ConfigChangeID)
		case changeAddNonVoting:
			err = h.nh.SyncRequestAddNonVoting(rctx, shard, replica, raftAddr, m.ConfigChangeID)
		default:
			err = h.nh.SyncRequestDeleteReplica(rctx, shard, replica, m.ConfigChangeID)
		}
		cancel()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, dragonboat.ErrClosed) || errors.Is(err, dragonboat.ErrInvalidAddress) || errors.Is(err, dragonboat.ErrShardNotFound) {
				return fmt.Errorf("consensus: change membership of shard %d: %w", shard, err)
			}
			atChangeRepeated.Hit()
			sleep(ctx, retryEvery)
		}
	}
}

// changeDone compares a configuration with what a change wants.
func changeDone(m Membership, kind changeKind, replica ReplicaID) (bool, error) {
	_, voter := m.Voters[replica]
	_, follows := m.NonVoting[replica]
	switch {
	case kind == changeRemove:
		return !voter && !follows, nil
	case m.Removed[replica]:
		atMemberRemovedBefore.Hit()
		return false, fmt.Errorf("%w: replica %d", ErrReplicaRemoved, replica)
	case kind == changeAddVoter:
		return voter, nil
	}
	return voter || follows, nil
}

// checkWhole asks the node of a replica that is to vote whether it has every payload: one that has not could not
// serve what it would be counted for.
func (h *Host) checkWhole(ctx context.Context, shard, replica uint64, raftAddr string) error {
	h.mu.RLock()
	node := h.nodeByRaftAddrLocked(raftAddr)
	h.mu.RUnlock()
	if node == 0 {
		node = h.nodeOf(shard, replica)
	}
	body := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, shard), replica)
	if node == h.o.Node {
		_, err := h.serveWhole(ctx, node, body)
		return err
	}
	_, err := h.Call(ctx, node, methodWhole, body)
	if err != nil {
		return fmt.Errorf("consensus: promote replica %d of shard %d: %w", replica, shard, err)
	}
	return nil
}

func (h *Host) serveWhole(_ context.Context, _ NodeID, body []byte) ([]byte, error) {
	if len(body) != 16 {
		return nil, fmt.Errorf("%w: request of %d bytes", errMalformed, len(body))
	}
	r := h.replica(binary.LittleEndian.Uint64(body))
	if r == nil || r.replica != binary.LittleEndian.Uint64(body[8:]) {
		return nil, ErrNoReplica
	}
	s := r.status()
	if s.Damaged != nil {
		return nil, s.Damaged
	}
	if !s.Whole || s.Applied == 0 {
		atPromotionTooEarly.Hit()
		return nil, ErrNotWhole
	}
	return nil, nil
}

func (h *Host) serveMembership(ctx context.Context, _ NodeID, body []byte) ([]byte, error) {
	if len(body) != 8 {
		return nil, fmt.Errorf("%w: request of %d bytes", errMalformed, len(body))
	}
	shard := binary.LittleEndian.Uint64(body)
	if h.replica(shard) == nil {
		return nil, ErrNoReplica
	}
	m, err := h.localMembership(ctx, shard)
	if err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

func (h *Host) serveChange(ctx context.Context, _ NodeID, body []byte) ([]byte, error) {
	if len(body) < 17 || body[0] < byte(changeAddVoter) || body[0] > byte(changeRemove) {
		return nil, fmt.Errorf("%w: change of %d bytes", errMalformed, len(body))
	}
	shard, replica := binary.LittleEndian.Uint64(body[1:]), binary.LittleEndian.Uint64(body[9:])
	if h.replica(shard) == nil {
		return nil, ErrNoReplica
	}
	return nil, h.localChange(ctx, changeKind(body[0]), shard, replica, string(body[17:]))
}
