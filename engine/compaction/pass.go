package compaction

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/engine/partition"
)

// ErrChanged says that the log changed while it was read: another pass will see it as it is then.
var ErrChanged = errors.New("compaction: the log changed meanwhile")

// Payloads appends the payload of a name to dst; what it cannot read whole is an error.
type Payloads func(dst []byte, n partition.Name) ([]byte, error)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Pass is one pass over one log.
type Pass struct {
	rows    keyspace.Reader
	head    partition.Head
	read    Payloads
	times   Times
	limits  Limits
	keys    *keys
	dirty   bool          // there is something that no pass has seen
	at, end broker.Offset // the rows from at to below end are still to be looked at

	rewrites     uint64 // compactions of the log, with the commands of this pass
	cleanedBytes uint64 // bytes ever appended up to at
	nextHorizon  int64  // the least of those seen
	done         bool

	slice   slice
	payload []byte // of the batch that is looked at
}

// slice is the command that is being made.
type slice struct {
	items   []command.CompactItem
	payload []byte
	empty   []partition.Batch // rows of which nothing is left, one behind the other, not an item yet
}

// Begin reads the dirty part of the log into the map.
func Begin(r keyspace.Reader, h partition.Head, read Payloads, t Times, l Limits) (*Pass, error) {
	p := &Pass{rows: r, head: h, read: read, times: t, limits: l.withDefaults(), keys: newKeys(), at: h.Start, rewrites: h.Rewrites,
		cleanedBytes: h.BytesBefore, nextHorizon: -1}
	var failed error
	var err error
	p.end, err = eachDirty(r, &p.head, t, func(b *partition.Batch) bool {
		if p.keys.bytes >= p.limits.KeysBytes {
			return false // the pass ends before this batch: it knows nothing of what comes from here on
		}
		failed = p.note(b)
		return failed == nil
	})
	if failed != nil {
		return nil, failed
	}
	p.dirty = p.end > max(h.Cleaned, h.Start)
	return p, err
}

// note adds the keys of a batch to the map.
func (p *Pass) note(b *partition.Batch) error {
	if b.Hole() || b.IsMarker() {
		return nil
	}
	aborted, err := p.load(b)
	if err != nil || aborted {
		return err // what was aborted supersedes nothing
	}
	return p.damaged(b, batch.EachKey(p.payload, func(k batch.Keyed) bool {
		if k.Key != nil {
			p.keys.note(k.Key, b.Base+broker.Offset(k.OffsetDelta))
		}
		return true
	}))
}

// load reads a batch's payload, and says whether it is of a transaction that was aborted.
func (p *Pass) load(b *partition.Batch) (aborted bool, err error) {
	if p.payload, err = p.read(p.payload[:0], b.Name); err != nil || !b.Transactional() {
		return false, p.damaged(b, err)
	}
	h, err := batch.DecodeHeader(p.payload)
	if err != nil {
		return false, p.damaged(b, err)
	}
	found, err := partition.Aborted(p.rows, &p.head, b.Base, b.Last+1)
	for _, a := range found {
		if int64(a.ProducerID) == h.ProducerID && a.First <= int64(b.Base) && int64(b.Last) < a.Last {
			return true, nil
		}
	}
	return false, p.damaged(b, err)
}

func (p *Pass) damaged(b *partition.Batch, err error) error {
	if err != nil {
		return fmt.Errorf("compaction: batch at offset %d: %w", b.Base, err)
	}
	return nil
}

// Next is the next command to propose, without its payload, and the payload, which is valid until the next call; nil
// when the pass is over.
func (p *Pass) Next() (*command.PartitionCompact, []byte, error) {
	for !p.done {
		p.slice.items, p.slice.payload = nil, p.slice.payload[:0]
		if err := p.step(); err != nil {
			return nil, nil, err
		}
		if len(p.slice.items) > 0 || p.done {
			return p.command(), p.slice.payload, nil
		}
	}
	return nil, nil, nil
}

// step looks at some rows.
func (p *Pass) step() error {
	rows, err := p.next()
	if err != nil {
		return err
	}
	for i := range rows {
		b := &rows[i]
		if n := len(p.slice.payload); n > 0 && n+int(b.Name.Length) > p.limits.SliceBytes {
			break
		}
		if err := p.judge(b); err != nil {
			return err
		}
		p.at, p.cleanedBytes = b.Last+1, b.BytesEnd
	}
	p.closeHole()
	p.done = p.at >= p.end
	return nil
}

// next are the rows to look at next.
func (p *Pass) next() (rows []partition.Batch, err error) {
	if p.at >= p.end {
		return nil, nil
	}
	next := p.at
	err = partition.Batches(p.rows, &p.head, p.at, func(b partition.Batch) bool {
		if b.Base > next {
			err = ErrChanged
			return false
		}
		if b.Last >= p.end || len(rows) == p.limits.SliceRows {
			return false
		}
		rows, next = append(rows, b), b.Last+1
		return true
	})
	if err == nil && len(rows) == 0 {
		err = ErrChanged
	}
	return rows, err
}

// judge says what becomes of one row.
func (p *Pass) judge(b *partition.Batch) error {
	due := b.Horizon >= 0 && p.times.Clock >= uint64(b.Horizon)
	switch {
	case b.Hole(), b.IsMarker() && b.Marker.Commit: // nobody needs to be told any more that a transaction was committed
		p.empty(b)
		return nil
	case b.IsMarker(), !p.dirty && !due: // the end of an aborted one is told as long as the beginning is
		p.stays(b)
		return nil
	}
	aborted, err := p.load(b)
	if err != nil || aborted {
		if err == nil {
			p.empty(b)
		}
		return err
	}
	from := len(p.slice.payload)
	out, r, err := batch.Rewrite(p.slice.payload, p.payload, func(k batch.Keyed) bool { return p.survives(b, k, due) })
	if err != nil {
		return p.damaged(b, err)
	}
	p.slice.payload = out
	switch {
	case r.Kept == 0:
		p.empty(b)
	case r.Kept == r.Records:
		p.mark(b, r)
	default:
		p.rewrite(b, r, out[from:])
	}
	return nil
}

// survives is compaction: a record goes if its key has a newer one, or if it is a tombstone whose time has come.
func (p *Pass) survives(b *partition.Batch, k batch.Keyed, due bool) bool {
	if k.Key == nil {
		return true
	}
	return !p.keys.superseded(k.Key, b.Base+broker.Offset(k.OffsetDelta)) && !(due && k.Tombstone)
}

// stays leaves a row as it is.
func (p *Pass) stays(b *partition.Batch) {
	p.closeHole()
	if b.Horizon >= 0 && (p.nextHorizon < 0 || b.Horizon < p.nextHorizon) {
		p.nextHorizon = b.Horizon
	}
}

// mark fixes when the tombstones of a batch that lost nothing go, if it has some and that is not fixed yet: what they
// delete lay below them, and is gone with the commands before this one.
func (p *Pass) mark(b *partition.Batch, r batch.Rewritten) {
	marked := *b
	marked.Horizon = p.horizon(b, r)
	p.stays(&marked)
	if marked != *b {
		p.slice.items = append(p.slice.items, marked.Item(false, *b))
	}
}

// horizon is when the tombstones that a batch has now go; −1 if it has none.
func (p *Pass) horizon(b *partition.Batch, r batch.Rewritten) int64 {
	switch {
	case r.Tombstones == 0:
		return -1
	case b.Horizon >= 0:
		return b.Horizon
	}
	now := int64(p.times.Clock)
	return now + min(p.head.Compaction.DeleteRetentionMs, math.MaxInt64-now)
}

// rewrite replaces a batch by what is left of it.
func (p *Pass) rewrite(b *partition.Batch, r batch.Rewritten, bytes []byte) {
	after := *b
	after.Name = partition.Name{Length: uint32(len(bytes)), CRC: crc32.Checksum(bytes, castagnoli)}
	after.Horizon = p.horizon(b, r)
	if b.LogAppendTime >= 0 {
		after.MaxAt = b.Base + broker.Offset(r.FirstDelta)
	} else {
		after.MaxTimestamp, after.MaxAt = r.MaxTimestamp, b.Base+broker.Offset(r.MaxTimestampDelta)
		if r.MaxTimestamp >= 0 {
			after.Age = min(r.MaxTimestamp, b.Age)
		}
	}
	p.stays(&after)
	p.slice.items = append(p.slice.items, after.Item(true, *b))
}

// empty makes a row part of a hole. The row that holds the log start stays one by itself: what lies below is counted
// as trimmed.
func (p *Pass) empty(b *partition.Batch) {
	p.slice.empty = append(p.slice.empty, *b)
	if b.Base < p.head.Start {
		p.closeHole()
	}
}

// closeHole makes an item of the rows that are empty, unless they are one hole already.
func (p *Pass) closeHole() {
	of := p.slice.empty
	if len(of) > 1 || len(of) == 1 && !of[0].Hole() {
		hole := partition.Hole(of...)
		p.slice.items = append(p.slice.items, hole.Item(false, of...))
	}
	p.slice.empty = of[:0]
}

// command closes the slice.
func (p *Pass) command() *command.PartitionCompact {
	c := &command.PartitionCompact{
		Topic: p.head.Partition.Topic, Partition: p.head.Partition.Index, Rewrites: p.rewrites, Items: p.slice.items,
		Cleaned: -1, PayloadLength: uint32(len(p.slice.payload)),
	}
	if p.done {
		c.Cleaned, c.CleanedBytes, c.NextHorizon = max(p.end, p.head.Cleaned), max(p.cleanedBytes, p.head.CleanedBytes), p.nextHorizon
	}
	p.rewrites++
	return c
}

// String is one line.
func (p *Pass) String() string {
	return fmt.Sprintf("pass over %v: at %d of %d..%d, %d keys of %d bytes", p.head.Partition, p.at, p.head.Start, p.end, len(p.keys.newest), p.keys.bytes)
}
