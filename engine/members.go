package engine

import (
	"fmt"
	"reflect"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/catalog"
)

// members is what of the catalog consensus needs: the address book, and where replicas
// live. It is kept with the identity, so that a node that finds damage while it starts
// knows whom to ask. It may be old: it is never decided by, only asked by.
type members struct {
	Peers     []consensus.Peer                 `json:"peers,omitempty"`
	Placement map[uint64][]consensus.Placement `json:"placement,omitempty"` // by shard
}

func membersOf(v *catalog.View) members {
	m := members{Placement: map[uint64][]consensus.Placement{}}
	for _, n := range v.Nodes() {
		m.Peers = append(m.Peers, consensus.Peer{Node: int32(n.ID), RPCAddr: n.RPC, RaftAddr: n.Raft})
	}
	for _, s := range v.Shards() {
		for _, r := range s.Replicas {
			m.Placement[uint64(s.ID)] = append(m.Placement[uint64(s.ID)], consensus.Placement{Replica: r.ID, Node: int32(r.Node), NonVoting: r.State == catalog.ReplicaJoining})
		}
	}
	return m
}

// introduce tells consensus.
func (e *Engine) introduce(m members) {
	if len(m.Peers) == 0 {
		return
	}
	e.host.SetPeers(m.Peers)
	for s, p := range m.Placement { //lint:sorted each shard on its own
		e.host.SetPlacement(s, p)
	}
}

// rememberMembers makes a change of the members durable.
func (e *Engine) rememberMembers(m members) error {
	e.identMu.Lock()
	defer e.identMu.Unlock()
	if reflect.DeepEqual(e.ident.Members, m) {
		return nil
	}
	next := e.ident
	next.Members = m
	if err := next.save(e.opt.FS, e.opt.Dir); err != nil {
		return fmt.Errorf("engine: save identity: %w", err)
	}
	e.ident = next
	return nil
}
