package catalog

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Machine is the catalog's replicated state: one View and the rows that hold the same. It is not safe for concurrent
// use; the Views it hands out are.
type Machine struct {
	view *View
}

// New is the machine of a replica without rows.
func New() *Machine { return &Machine{view: EmptyView()} }

// Load reads the machine from its rows.
func Load(rows keyspace.Reader) (*Machine, error) {
	v, err := loadView(rows)
	if err != nil {
		return nil, fmt.Errorf("load catalog: %w", err)
	}
	return &Machine{view: v}, nil
}

// Snapshot is the catalog as of the last Apply.
func (m *Machine) Snapshot() *View { return m.view }

// Owns says whether a kind of command is the catalog's.
func Owns(k command.Kind) bool {
	return k >= command.KindBootstrap && k <= command.KindReplicaRemove
}

// Apply applies one encoded catalog command, writes the rows that changed and appends the encoded result (CatalogResult
// or ProducerBlockResult) to dst. A refusal is a result, changes nothing and writes nothing; an error means that the
// bytes cannot be decoded, and the replica must stop.
func (m *Machine) Apply(dst, body []byte, w keyspace.Writer) ([]byte, error) {
	msg, err := command.Decode(body)
	if err != nil {
		return dst, fmt.Errorf("apply to catalog: %w", err)
	}
	before := m.view
	result, next, err := apply(before, msg)
	if err != nil {
		return dst, err
	}
	if next != before {
		writeChanges(before, next, w)
		m.view = next
	}
	return result.AppendTo(dst), nil
}

// String prints one line.
func (m *Machine) String() string { return m.view.String() }

// Describe prints everything.
func (m *Machine) Describe() string { return m.view.Describe() }
