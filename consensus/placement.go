package consensus

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// hint is what a peer said about a shard that this node does not host.
type hint struct {
	node   NodeID
	term   uint64
	asked  time.Time
	asking bool
}

// SetPeers replaces the address book.
func (h *Host) SetPeers(peers []Peer) {
	m := make(map[NodeID]Peer, len(peers))
	for _, p := range peers {
		m[p.Node] = p
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peers = m
}

// SetPlacement says where a shard's replicas live.
func (h *Host) SetPlacement(shard uint64, placement []Placement) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.placement[shard] = slices.Clone(placement)
}

func (h *Host) rpcAddr(node NodeID) (string, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	p, ok := h.peers[node]
	if !ok || p.RPCAddr == "" {
		return "", fmt.Errorf("%w: %d", ErrUnknownNode, node)
	}
	return p.RPCAddr, nil
}

// nodeOf maps a replica to its node, by the placement or by the Raft address it was started with.
func (h *Host) nodeOf(shard uint64, replica ReplicaID) NodeID {
	if replica == 0 {
		return 0
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, p := range h.placement[shard] {
		if p.Replica == replica {
			return p.Node
		}
	}
	if addr, ok := h.initial[shard][replica]; ok {
		return h.nodeByRaftAddrLocked(addr)
	}
	return 0
}

func (h *Host) nodeByRaftAddrLocked(addr string) NodeID {
	found := NodeID(0)
	for _, p := range h.peers {
		if p.RaftAddr == addr && (found == 0 || p.Node < found) {
			found = p.Node
		}
	}
	return found
}

// hostsOf lists the nodes that host a replica, voters first.
func (h *Host) hostsOf(shard uint64) []NodeID {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var nodes []NodeID
	for _, nonVoting := range []bool{false, true} {
		for _, p := range h.placement[shard] {
			if p.NonVoting == nonVoting && !slices.Contains(nodes, p.Node) {
				nodes = append(nodes, p.Node)
			}
		}
	}
	for _, replica := range sortedKeys(h.initial[shard]) {
		if n := h.nodeByRaftAddrLocked(h.initial[shard][replica]); n != 0 && len(h.placement[shard]) == 0 {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// leaderFirst is hostsOf with the leader, as far as it is known, in front.
func (h *Host) leaderFirst(shard uint64) []NodeID {
	nodes := h.hostsOf(shard)
	if leader, _, ok := h.Leader(shard); ok {
		if i := slices.Index(nodes, leader); i > 0 {
			nodes = slices.Insert(slices.Delete(nodes, i, i+1), 0, leader)
		}
	}
	return nodes
}

// Leader is a hint, from any node: Raft's word where a replica is hosted, else what a host of the shard last said.
func (h *Host) Leader(shard uint64) (node NodeID, term uint64, ok bool) {
	if r := h.replica(shard); r != nil {
		r.mu.Lock()
		leader, term, self := r.raftLeader, r.raftTerm, r.raftLeader == r.replica
		r.mu.Unlock()
		if self {
			return h.o.Node, term, true
		}
		node = h.nodeOf(shard, leader)
		return node, term, node != 0
	}
	h.mu.Lock()
	x := h.hints[shard]
	if x == nil {
		x = &hint{}
		h.hints[shard] = x
	}
	ask := !x.asking && time.Since(x.asked) > hintAge
	x.asking = x.asking || ask
	node, term = x.node, x.term
	h.mu.Unlock()
	if ask && !h.background(0, 0, func(ctx context.Context) { h.askLeader(ctx, shard, x) }) {
		h.mu.Lock()
		x.asking = false
		h.mu.Unlock()
	}
	return node, term, node != 0
}

// askLeader refreshes a hint from the shard's hosts; the greatest term wins.
func (h *Host) askLeader(ctx context.Context, shard uint64, x *hint) {
	var node NodeID
	var term uint64
	for _, n := range h.hostsOf(shard) {
		actx, cancel := context.WithTimeout(ctx, requestTimeout)
		reply, err := h.Call(actx, n, methodLeader, binary.LittleEndian.AppendUint64(nil, shard))
		cancel()
		if err != nil || len(reply) != 12 {
			continue
		}
		node, term = NodeID(binary.LittleEndian.Uint32(reply)), binary.LittleEndian.Uint64(reply[4:])
		if node != 0 {
			break
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	x.asking, x.asked = false, time.Now()
	atLeaderAsked.Hit()
	if node != 0 && term >= x.term {
		x.node, x.term = node, term
	}
}

func (h *Host) serveLeader(_ context.Context, _ NodeID, body []byte) ([]byte, error) {
	if len(body) != 8 {
		return nil, fmt.Errorf("%w: leader request of %d bytes", errMalformed, len(body))
	}
	shard := binary.LittleEndian.Uint64(body)
	if h.replica(shard) == nil {
		return nil, ErrNoReplica
	}
	node, term, ok := h.Leader(shard)
	if !ok {
		node = 0
	}
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, uint32(node)), term), nil
}
