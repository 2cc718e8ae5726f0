package partition

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/txn/participant"
)

// Options are the same on every replica of a shard, for ever: they decide what commands answer.
type Options struct {
	// ProducersMax: see ProducersMaxDefault, which 0 means.
	ProducersMax int
}

// Context is what a command's log entry tells beside its bytes.
type Context struct {
	Index    uint64 // of the entry
	Position uint32 // of the command in it; a payload at offset o of the command is at Position+o
	Term     uint64 // the leader term it was proposed under, 0 if none
	Clock    uint64 // replicated time, ms: deadlines
	Wall     int64  // the proposer's clock, ms since 1970: stamps
}

// Machine is the state of all partitions of one shard.
type Machine struct {
	producersMax int

	byID   map[broker.Partition]*partition
	bySlot map[keyspace.Slot]*partition // doomed ones too

	// What is written as the machine's own row.
	term     uint64        // the greatest seen
	nextSlot keyspace.Slot // never given before
	touches  uint64        // counts uses of windows: their order, also across Load
	digest   command.Digest
	noted    note // by the last Check

	// Work for Sweep. The slices are sorted by slot, so that Load finds the same order.
	doomed  []keyspace.Slot // deleted partitions with rows
	trimmed []keyspace.Slot // partitions with freed < Start
	windows windowList      // least recently used first

	// What Flush has to write.
	dirty        []*partition
	dirtyWindows []*window
	dirtyHolds   []heldBy
	dirtySelf    bool
	diverged     bool
	reverse      reverse
	effects      []Effect // of the last Flush

	appendCommand command.Append // kept, so that decoding allocates nothing
	key, value    []byte         // scratch
}

// note is the digest at one index, kept to be compared with other replicas'.
type note struct {
	index  uint64
	digest command.Digest
}

// partition is a head and what belongs to it.
type partition struct {
	Head
	// freed ≤ Start: batch rows that end below it are gone.
	freed   broker.Offset
	runs    [runLevels]run // open, one per level
	windows map[broker.ProducerID]*window
	byUse   windowList
	// txns is nil until the first transaction.
	txns   *participant.Partition
	doomed bool

	changed Change // since the last Flush
	dirty   bool
}

// New is the machine of a shard that has no rows yet.
func New(o Options) *Machine {
	if o.ProducersMax == 0 {
		o.ProducersMax = ProducersMaxDefault
	}
	return &Machine{
		producersMax: o.ProducersMax,
		byID:         map[broker.Partition]*partition{},
		bySlot:       map[keyspace.Slot]*partition{},
	}
}

// LeaderStart notes that a leader term begins; leader epochs rise with it.
func (m *Machine) LeaderStart(term uint64) {
	if term <= m.term {
		return
	}
	invariant.Check(term <= epochMax, "term %d is above every leader epoch", term)
	m.term = term
	m.dirtySelf = true
}

// Term is the greatest leader term seen.
func (m *Machine) Term() uint64 { return m.term }

// Digest is the rolling digest over the commands applied and their results.
func (m *Machine) Digest() command.Digest { return m.digest }

// Noted is the digest at the index of the last Check; index 0: there was none.
func (m *Machine) Noted() (index uint64, digest command.Digest) { return m.noted.index, m.noted.digest }

// Fold makes a command that another machine of the shard applied part of the digest.
func (m *Machine) Fold(command, result []byte) {
	m.digest = m.digest.Add(command, result)
	m.dirtySelf = true
}

// epoch is a partition's leader epoch now.
func (m *Machine) epoch(p *partition) broker.LeaderEpoch {
	return broker.LeaderEpoch(min(int64(p.BaseEpoch)+int64(m.term), epochMax))
}

// snapshot is a partition's head to hand out.
func (m *Machine) snapshot(p *partition) Head {
	h := p.Head
	h.Epoch = m.epoch(p)
	h.epochs = slices.Clip(h.epochs)
	return h
}

// Head is a snapshot of a partition's head.
func (m *Machine) Head(id broker.Partition) (Head, bool) {
	if p := m.byID[id]; p != nil {
		return m.snapshot(p), true
	}
	return Head{}, false
}

// Heads yields snapshots of all heads, by slot.
func (m *Machine) Heads(yield func(Head) bool) {
	for _, p := range m.sorted() {
		if !p.doomed && !yield(m.snapshot(p)) {
			return
		}
	}
}

// Len counts the partitions.
func (m *Machine) Len() int { return len(m.byID) }

// sorted are all partitions, doomed ones too, by slot.
func (m *Machine) sorted() []*partition {
	return slices.SortedFunc(maps.Values(m.bySlot), func(a, b *partition) int { return cmp.Compare(a.Slot, b.Slot) })
}

// touch marks a partition's head to be written by the next Flush, and the change to be told.
func (m *Machine) touch(p *partition, c Change) {
	p.changed |= c
	p.stable = p.lastStable()
	if !p.dirty {
		p.dirty = true
		m.dirty = append(m.dirty, p)
	}
}

// String is one line.
func (m *Machine) String() string {
	return fmt.Sprintf("%d partitions, %d producers, term %d, digest %v, to free: %d deleted, %d trimmed",
		len(m.byID), m.windows.n, m.term, m.digest, len(m.doomed), len(m.trimmed))
}

// Describe is the whole state. Two machines that describe themselves alike answer every command alike.
func (m *Machine) Describe() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v\n", m)
	fmt.Fprintf(&s, "next slot %d, touches %d, noted %v at %d\n", m.nextSlot, m.touches, m.noted.digest, m.noted.index)
	for _, p := range m.sorted() {
		h := m.snapshot(p)
		if p.doomed {
			fmt.Fprintf(&s, "deleted slot %d %v: freed %d of %d\n", p.Slot, p.Partition, p.freed, p.Next)
			continue
		}
		fmt.Fprintf(&s, "%s\n  freed %d, runs", h.Describe(), p.freed)
		for _, r := range p.runs {
			fmt.Fprintf(&s, " [%v]", r)
		}
		s.WriteString("\n")
		if p.txns != nil && p.txns.Len() > 0 {
			fmt.Fprintf(&s, "  transactions: %s\n", strings.ReplaceAll(p.txns.Describe(), "\n", "\n  "))
		}
	}
	for w := m.windows.first; w != nil; w = w.links[ofMachine].next {
		fmt.Fprintf(&s, "producer %d slot %d touch %d: %s\n", w.producer, w.partition.Slot, w.touch,
			strings.ReplaceAll(w.Describe(), "\n", "\n  "))
	}
	return s.String()
}
