package consensus

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tallymq/tallymq/consensus/journal"
)

// toy is a machine that remembers the commands it applied, in order. Its rows live in memory; what Sync saw survives a
// restart, as on a disk. A command that begins with 'P' has a payload behind its first 17 bytes.
type toy struct {
	disk *toyDisk

	mu      sync.Mutex
	rows    toyRows
	durable uint64
	// applying notices two applies at once.
	applying int
	broken   bool // every apply fails

	installing func(*toy)                  // called before a snapshot's rows replace the old ones, if set
	walking    func(context.Context, *toy) // called before a walk of Missing, if set
	walks      atomic.Int64                // calls of Missing that ended
}

// toyRows is everything a toy knows.
type toyRows struct {
	Applied uint64
	Meta    []byte
	Term    uint64
	Log     []toyRow
	Clock   uint64
}

type toyRow struct {
	Index uint64
	Node  NodeID
	Body  []byte // without payload
	Name  journal.Name
	Term  uint64
	Start bool
}

// toyDisk is what survives: the rows as encoded by the last Sync.
type toyDisk struct {
	mu   sync.Mutex
	rows []byte
}

func (d *toyDisk) load() (rows toyRows, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.rows) == 0 {
		return rows, nil
	}
	err = gob.NewDecoder(bytes.NewReader(d.rows)).Decode(&rows)
	return rows, err
}

func (d *toyDisk) store(rows *toyRows) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(rows); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows = b.Bytes()
	return nil
}

func (t *toy) Open(<-chan struct{}) (uint64, []byte, error) {
	rows, err := t.disk.load()
	if err != nil {
		return 0, nil, err
	}
	t.rows, t.durable = rows, rows.Applied
	return rows.Applied, rows.Meta, nil
}

var toyCRC = crc32.MakeTable(crc32.Castagnoli)

const toyHead = 17

func (t *toy) Apply(b *ApplyBatch) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.applying++; t.applying != 1 {
		return errors.New("two applies at once")
	}
	defer func() { t.applying-- }()
	if t.broken {
		return errors.New("the rows cannot be written")
	}
	if b.Applied <= t.rows.Applied {
		return fmt.Errorf("applied %d after %d", b.Applied, t.rows.Applied)
	}
	if b.Term < t.rows.Term {
		return fmt.Errorf("term fell from %d to %d", t.rows.Term, b.Term)
	}
	for i := range b.Commands {
		c := &b.Commands[i]
		if c.Clock < t.rows.Clock {
			return fmt.Errorf("clock fell from %d to %d", t.rows.Clock, c.Clock)
		}
		t.rows.Clock = c.Clock
		row := toyRow{Index: c.Index, Node: c.Node, Term: c.Term, Start: c.LeaderStart}
		if len(c.Body) > toyHead && c.Body[0] == 'P' {
			p := c.Body[toyHead:]
			row.Name = journal.Name{Index: c.Index, Position: c.Position + toyHead, Length: uint32(len(p)), CRC: crc32.Checksum(p, toyCRC)}
			row.Body = slices.Clone(c.Body[:toyHead])
		} else {
			row.Body = slices.Clone(c.Body)
		}
		t.rows.Log = append(t.rows.Log, row)
		c.Result = binary.BigEndian.AppendUint64(nil, uint64(len(t.rows.Log)-1))
	}
	t.rows.Applied, t.rows.Meta, t.rows.Term = b.Applied, slices.Clone(b.Meta), b.Term
	return nil
}

func (t *toy) Sync() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.disk.store(&t.rows); err != nil {
		return err
	}
	t.durable = t.rows.Applied
	return nil
}

func (t *toy) DurableApplied() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.durable
}

func (t *toy) PrepareSnapshot() (any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := t.rows
	rows.Log = slices.Clone(t.rows.Log)
	return &rows, nil
}

func (t *toy) SaveSnapshot(view any, w io.Writer, _ <-chan struct{}) error {
	return gob.NewEncoder(w).Encode(view.(*toyRows))
}

func (t *toy) InstallSnapshot(r io.Reader, _ <-chan struct{}) (uint64, []byte, error) {
	var rows toyRows
	if err := gob.NewDecoder(r).Decode(&rows); err != nil {
		return 0, nil, err
	}
	if t.installing != nil {
		t.installing(t)
	}
	t.mu.Lock()
	t.rows = rows
	t.mu.Unlock()
	return rows.Applied, rows.Meta, t.Sync()
}

func (t *toy) Missing(ctx context.Context, first, last uint64, has func(journal.Name) bool, yield func(journal.Name) bool) error {
	if t.walking != nil {
		t.walking(ctx, t)
	}
	defer t.walks.Add(1)
	for _, r := range t.log() {
		if r.Name.Length > 0 && r.Name.Index >= first && r.Name.Index <= last && !has(r.Name) && !yield(r.Name) {
			return nil
		}
	}
	return ctx.Err()
}

func (t *toy) Close() error { return nil }

// log is a copy of what was applied.
func (t *toy) log() []toyRow {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.rows.Log)
}

func (t *toy) term() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows.Term
}

func (t *toy) clock() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows.Clock
}
