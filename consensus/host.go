package consensus

import (
	"context"
	"errors"

	"github.com/tallymq/tallymq/consensus/journal"
)

var errTODO = errors.New("consensus: not built yet")

// entryOverheadBytes bounds what packing adds to one command.
const entryOverheadBytes = 256

type payloads interface {
	LastIndex(shard, replica uint64) uint64
}

// Host is this node's part in all its shards.
type Host struct{}

// Start opens the node host and begins to serve the node RPC. No replica runs before StartReplica.
func Start(o Options) (*Host, error) { return nil, errTODO }

// Close stops everything; pending proposals get ErrNotApplied or ErrUnknownOutcome.
func (h *Host) Close() error { return nil }

// StartReplica starts a replica on this node; safe to repeat after a restart. It refuses with ErrDamaged when the rows are ahead
// of the log or the journal holds damage that no peer could repair.
func (h *Host) StartReplica(ctx context.Context, spec ReplicaSpec) error { return errTODO }

// StopReplica stops the local replica and waits until its machine is closed.
func (h *Host) StopReplica(shard uint64) error { return errTODO }

// RemoveReplicaData forgets a stopped replica that was removed from its shard: Raft's records and the journal's payloads.
func (h *Host) RemoveReplicaData(shard, replica uint64) error { return errTODO }

// Replicas lists the local replicas by shard.
func (h *Host) Replicas() []ReplicaStatus { return nil }

// AddReplica adds a member, or promotes a non-voting one.
func (h *Host) AddReplica(ctx context.Context, shard, replica uint64, raftAddr string, nonVoting bool) error {
	return errTODO
}

// RemoveReplica removes a member.
func (h *Host) RemoveReplica(ctx context.Context, shard, replica uint64) error { return errTODO }

// Membership reads the shard's configuration, linearizably.
func (h *Host) Membership(ctx context.Context, shard uint64) (Membership, error) {
	return Membership{}, errTODO
}

// TransferLeader asks for leadership to move; there is no guarantee.
func (h *Host) TransferLeader(shard, replica uint64) error { return errTODO }

// SetPeers replaces the address book.
func (h *Host) SetPeers(peers []Peer) {}

// SetPlacement says where a shard's replicas live.
func (h *Host) SetPlacement(shard uint64, placement []Placement) {}

// Propose sends a command on its way; see Proposal.
func (h *Host) Propose(p *Proposal) { p.Done(nil, notApplied(errTODO)) }

// ReadBarrier returns nil when everything acknowledged before the call is applied in the local replica.
func (h *Host) ReadBarrier(ctx context.Context, shard uint64) error { return errTODO }

// Leader is a hint, from any node.
func (h *Host) Leader(shard uint64) (node NodeID, term uint64, ok bool) { return 0, 0, false }

// Leading says whether this node leads the shard and applied its own leader-start of that term.
func (h *Host) Leading(shard uint64) (term uint64, ok bool) { return 0, false }

// Clock reads the shard's replicated time in milliseconds.
func (h *Host) Clock(shard uint64) uint64 { return 0 }

// Handle registers the function that answers a method of the node RPC.
func (h *Host) Handle(method string, fn func(ctx context.Context, from NodeID, body []byte) ([]byte, error)) {
}

// Call asks a node.
func (h *Host) Call(ctx context.Context, node NodeID, method string, body []byte) ([]byte, error) {
	return nil, errTODO
}

// CallAddr asks whoever listens at addr.
func (h *Host) CallAddr(ctx context.Context, addr, method string, body []byte) ([]byte, error) {
	return nil, errTODO
}

// OnDamage is to be called by the journal's own OnDamage: it repairs a committed entry from a peer or marks the replica damaged.
func (h *Host) OnDamage(d journal.Damage) {}
