package group

import "github.com/tallymq/tallymq/engine/broker"

// Waiter is the caller's handle of one request; every request that was given to Step is answered by exactly one Reply.
type Waiter uint64

// Event is something that happened to the groups of this coordinator.
type Event interface{ event() }

// Load makes a group known: at the start of a leadership for each group in the applied state, and again after a Store
// failed. State nil: the applied state has no such group.
type Load struct {
	Group string
	State *State
}

// Join is a JoinGroup request. Unique is random text (a UUID) from the caller, the tail of a new member's id.
type Join struct {
	Waiter  Waiter
	Request *broker.JoinGroup
	Unique  string
}

// Sync is a SyncGroup request.
type Sync struct {
	Waiter  Waiter
	Request *broker.SyncGroup
}

// Heartbeat is a Heartbeat request.
type Heartbeat struct {
	Waiter Waiter
	Member broker.GroupMember
}

// Leave is a LeaveGroup request.
type Leave struct {
	Waiter  Waiter
	Group   string
	Members []broker.LeavingMember
}

// Commit asks whether a member may commit offsets now, and counts as its heartbeat. A Reply without error means: propose
// the OffsetCommit; apply fences it again by the stored group.
type Commit struct {
	Waiter Waiter
	Member broker.GroupMember
}

// Stored is the outcome of a Store. Code is CodeNone when it was applied, with the version it got; anything else makes
// the coordinator forget the group until a Load brings what is applied. An outcome that is not known is such a code too.
type Stored struct {
	Group   string
	ID      uint64
	Version uint64
	Code    broker.Code
}

// Deleted says that the applied state dropped a group (GroupDelete, or a sweep).
type Deleted struct{ Group string }

// Tick says that time passed; send it when NextDeadline is reached.
type Tick struct{}

// Close ends the coordinator: everyone who waits is answered with Code (CodeNone: not-coordinator) and nothing is left.
type Close struct{ Code broker.Code }

func (Load) event()      {}
func (Join) event()      {}
func (Sync) event()      {}
func (Heartbeat) event() {}
func (Leave) event()     {}
func (Commit) event()    {}
func (Stored) event()    {}
func (Deleted) event()   {}
func (Tick) event()      {}
func (Close) event()     {}

// Effect is what the caller must do after a Step, in the order given.
type Effect interface{ effect() }

// Reply answers one request. Exactly one of Err and the answer that fits the request is set; a Heartbeat, a Commit have
// no answer beside Err.
type Reply struct {
	Waiter Waiter
	Joined *broker.JoinedGroup
	Synced *broker.SyncedGroup
	Left   []error // per member of a Leave, in order
	Err    error   // *broker.Error or nil
}

// Store asks to propose a GroupStore that applies only if the group's version is Expect, and to report Stored. For one
// group there is at most one outstanding.
type Store struct {
	ID     uint64
	Expect uint64
	State  *State // Version and Since are set by apply
}

func (Reply) effect() {}
func (Store) effect() {}
