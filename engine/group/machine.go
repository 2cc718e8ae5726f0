package group

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Context is where and when a command is applied.
type Context struct {
	Index uint64
	Clock uint64 // replicated time, ms
	Wall  int64  // proposer's wall clock, ms since 1970
}

// Effect of an apply for the coordinator on this node, if it leads.

// Machine is the applied state of all groups of a shard. Not safe for concurrent use; a State it hands out is.
type Machine struct{}

// NewMachine is the machine of a replica without rows.
func NewMachine() *Machine { return &Machine{} }

// LoadMachine reads the machine from its rows.
func LoadMachine(rows keyspace.Reader) (*Machine, error) { return &Machine{}, nil }

// Owns says whether a kind of command is this machine's.
func Owns(k command.Kind) bool { return k >= command.KindGroupStore && k <= command.KindGroupSweep }

// Apply applies one encoded command, writes the rows that changed and appends the encoded result (GroupResult or
// OffsetResult) to dst. Dropped names groups that are gone now: tell the coordinator (Deleted). An error means that the
// bytes cannot be decoded.
func (m *Machine) Apply(dst []byte, ctx Context, body []byte, w keyspace.Writer) (result []byte, dropped []string, err error) {
	return dst, nil, nil
}

// Group finds a stored group.
func (m *Machine) Group(name string) (*State, bool) { return nil, false }

// Groups lists the stored groups by name.
func (m *Machine) Groups() []*State { return nil }

// Fetch answers an OffsetFetch; nil partitions: all of the group.
func (m *Machine) Fetch(group string, partitions []broker.TopicPartition) []broker.CommittedOffset {
	return nil
}
