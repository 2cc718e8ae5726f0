package transaction

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
)

// Participants are the partitions and groups of the shard, at the place of the log of the command that is applied.
type Participants interface {
	// Grant opens a hold after the grant's earlier transactions were closed. here is false for a partition that the shard
	// does not have; then nothing happened.
	Grant(p txn.Participant, g txn.Grant) (here bool, r *txn.Refusal)
	// Close takes a decision; here is as Grant's.
	Close(p txn.Participant, d txn.Decision) (here bool, r *txn.Refusal)
	// Open is the number of a producer's open hold, 0 if it has none, or the participant is not here.
	Open(p txn.Participant, id txn.ProducerID) txn.Number
}

// Context is what a command's log entry tells beside its bytes.
type Context struct {
	Term  uint64 // the leader term it was proposed under, 0 if none
	Clock uint64 // replicated time, ms
	// ClockOld: the time is of the last entry that brought one, however long ago.
	ClockOld bool
}

func (c Context) coordinator() coordinator.Context {
	return coordinator.Context{Now: int64(c.Clock), Term: c.Term, Old: c.ClockOld}
}

// Machine holds the transactional ids of one shard.
type Machine struct {
	ids   *coordinator.Machine
	owing []string // ids that commands decided for, and that owe somebody the decision
}

// TakeOwing are the ids for which something was decided since it was last called, and which owe it to participants elsewhere.
func (m *Machine) TakeOwing() []string {
	owing := m.owing
	m.owing = nil
	return owing
}

// New is the machine of a shard that has no rows yet.
func New(o coordinator.Options) *Machine { return &Machine{ids: coordinator.New(o)} }

// Load is the machine that wrote these rows.
func Load(o coordinator.Options, r keyspace.Reader) (*Machine, error) {
	m := New(o)
	lo, hi := keyspace.TableRange(keyspace.TableTransaction)
	var failed error
	err := r.Scan(lo, hi, func(k, v []byte) bool {
		var name string
		if name, failed = keyspace.DecodeTransactionKey(k); failed == nil {
			failed = m.ids.LoadRow(name, v)
		}
		return failed == nil
	})
	if failed != nil {
		err = failed
	}
	if err != nil {
		return nil, fmt.Errorf("load transactional ids: %w", err)
	}
	return m, nil
}

// IDs is the coordinator's state, to be looked at only.
func (m *Machine) IDs() *coordinator.Machine { return m.ids }

// write makes an id's row what the id is.
func (m *Machine) write(name string, w keyspace.Writer) {
	key := keyspace.AppendTransactionKey(nil, name)
	if row, known := m.ids.AppendRow(nil, name); known {
		w.Set(key, row)
	} else {
		w.Delete(key)
	}
}

// String is one line.
func (m *Machine) String() string { return m.ids.String() }

// Describe is the whole state. Two machines that describe themselves alike answer every command alike.
func (m *Machine) Describe() string { return m.ids.Describe() }
