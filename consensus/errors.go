package consensus

import (
	"errors"
	"fmt"
)

// The answers to a proposal that has no result. Wrapped errors say why; match with errors.Is.
var (
	// ErrUnknownOutcome: the command may or may not have been applied, or may yet be. Never report it as failed.
	ErrUnknownOutcome = errors.New("consensus: outcome unknown")
	// ErrStaleTerm: the term the command was proposed under no longer led when it came to be applied. Certainly not applied.
	ErrStaleTerm = errors.New("consensus: proposed under a stale leader term")
	// ErrNotApplied: certainly not applied, and never will be by this proposal.
	ErrNotApplied = errors.New("consensus: not applied")
)

// Reasons, wrapped into ErrNotApplied where they concern a proposal.
var (
	// ErrNoReplica: this node hosts no replica of the shard, or no host of the shard could be reached.
	ErrNoReplica = errors.New("consensus: no replica of the shard")
	// ErrClosed: the host or the replica is closing or closed.
	ErrClosed = errors.New("consensus: closed")
	// ErrTooLarge: the command or message is over a named limit.
	ErrTooLarge = errors.New("consensus: too large")
	// ErrDamaged: the replica's log or rows cannot be trusted and could not be repaired from a peer. Rebuild it under a new replica id.
	ErrDamaged = errors.New("consensus: replica is damaged")
	// ErrNotWhole: the replica still lacks payloads that its rows name, so it must not be promoted.
	ErrNotWhole = errors.New("consensus: replica is not whole")
	// ErrWrongCluster: the peer belongs to another cluster.
	ErrWrongCluster = errors.New("consensus: peer belongs to another cluster")
	// ErrAddressChanged: the data directory was created for another Raft address.
	ErrAddressChanged = errors.New("consensus: raft address differs from the one frozen in the data directory")
	// ErrUnreachable: the node could not be asked, or the connection broke before an answer came.
	ErrUnreachable = errors.New("consensus: node unreachable")
	// ErrUnknownNode: no address is known for the node.
	ErrUnknownNode = errors.New("consensus: unknown node")
	// ErrReplicaRemoved: the replica id was removed from the shard and can never come back.
	ErrReplicaRemoved = errors.New("consensus: replica was removed from the shard")
	// ErrMembershipChanged: the change was decided on a membership that is not the present one. Nothing was done.
	ErrMembershipChanged = errors.New("consensus: the membership changed meanwhile")
	// ErrAlreadyStarted: a replica of the shard runs on this node.
	ErrAlreadyStarted = errors.New("consensus: a replica of the shard is already started")
)

// RemoteError is what a peer's handler answered instead of a result.
type RemoteError struct {
	Method  string
	Message string
}

// Error names the method and repeats the peer's words.
func (e *RemoteError) Error() string {
	return fmt.Sprintf("consensus: remote %s: %s", e.Method, e.Message)
}

func notApplied(why error) error {
	return fmt.Errorf("%w: %w", ErrNotApplied, why)
}

func unknownOutcome(why error) error {
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, why)
}
