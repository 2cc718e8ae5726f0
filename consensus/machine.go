package consensus

import (
	"context"
	"io"

	"github.com/tallymq/tallymq/consensus/journal"
)

// Machine is one replica's state, implemented by the engine on its row store. Apply, Sync, PrepareSnapshot and
// InstallSnapshot of one machine are never called at the same time; SaveSnapshot, Missing and DurableApplied may run
// beside any of them.
type Machine interface {
	// Open returns what the last durable apply recorded: applied 0 and no meta for a new replica.
	Open(stop <-chan struct{}) (applied uint64, meta []byte, err error)
	// Apply applies b atomically together with b.Applied and b.Meta. An error is fatal for the node.
	Apply(b *ApplyBatch) error
	// Sync returns when everything applied so far is durable.
	Sync() error
	// DurableApplied is the applied index that a power loss would leave.
	DurableApplied() uint64
	// PrepareSnapshot fixes a consistent view of the rows.
	PrepareSnapshot() (view any, err error)
	// SaveSnapshot writes the view's rows, and owns the view: it releases it, whatever happens.
	SaveSnapshot(view any, w io.Writer, stop <-chan struct{}) error
	// InstallSnapshot replaces all rows by those read: a new generation, atomically flipped and durable on return. The
	// rows carry applied and meta.
	InstallSnapshot(r io.Reader, stop <-chan struct{}) (applied uint64, meta []byte, err error)
	// Missing yields the live names of entries first to last, ascending by index, for which has says no. Consensus pulls
	// them from peers.
	Missing(ctx context.Context, first, last uint64, has func(journal.Name) bool, yield func(journal.Name) bool) error
	// Close releases the machine. Nothing is called afterwards.
	Close() error
}

// ApplyBatch is what one call of Apply makes true. It is borrowed until Apply returns.
type ApplyBatch struct {
	// Applied is the index of the batch's last entry: to be stored atomically with the effects.
	Applied uint64
	// Meta is consensus' own replicated state after the batch: to be stored atomically with the effects.
	Meta []byte
	// Term is the greatest leader term seen, after this batch.
	Term uint64
	// Commands may be empty: entries that were duplicates, or left a gap, still advance Applied and Meta.
	Commands []Command
}

// Command is one command of a batch, in log order.
type Command struct {
	// Index is the entry's Raft index.
	Index uint64
	// Position is where Body begins in the entry's command: a payload at body offset o is named (Index, Position+o).
	Position uint32
	// Body is borrowed until Apply returns.
	Body []byte
	// Term is the leader term the command was proposed under, already checked not stale; 0 if none. In a leader-start: the
	// term that begins.
	Term uint64
	// Clock is replicated time in milliseconds. It never falls and follows the leader's monotonic clock.
	Clock uint64
	// ClockOld says that the entry did not bring the time with it: its proposer does not lead. Clock is then the last that the
	// leader told, however long ago; what is to last for some time from this command on begins with the next one that brings it.
	ClockOld bool
	// Wall is the proposer's wall clock, milliseconds since 1970: for stamps only.
	Wall int64
	// Node is the node that proposed.
	Node NodeID
	// LeaderStart marks the beginning of a leader term; Body is empty.
	LeaderStart bool
	// Result is set by Apply and kept if this node proposed the command; Done gets this very slice.
	Result []byte
}
