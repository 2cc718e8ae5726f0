package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Collect runs one cycle of garbage collection now: every sealed segment is judged; a dead one is freed uncopied, from
// a mostly dead one what lives is copied first. It is the story of when a byte may go:
//
//  1. Flushed says up to which entry each machine is durably applied. Entries above are not judged: kept.
//  2. Live says what the machine names NOW among the entries up to there and below Raft's range. Names are only ever
//     dropped for these, so what is dead now is dead in every later state.
//  3. What lives of a mostly dead segment is copied into a payload segment, which is made durable with its footer. A
//     crash here leaves a file no head names: it is recycled.
//  4. Flushed again: the state Live judged is durable. A crash before this brings back names of the old segment, which
//     is still there.
//  5. One batch says that the new segment is and the old ones are not. With it Raft's removal marks are durable.
//  6. Once nobody reads them, the old files are recycled.
func (j *Journal) Collect(ctx context.Context) (CollectStats, error) { return j.collect(ctx, true) }

func (j *Journal) collect(ctx context.Context, all bool) (stats CollectStats, err error) {
	j.collectMu.Lock()
	defer j.collectMu.Unlock()
	if j.closed.Load() {
		return stats, ErrClosed
	}
	if err := j.settle(); err != nil {
		return stats, err
	}
	j.sealRetry()
	c := &cycle{j: j, ctx: ctx, applied: map[replicaID]applied{}, stats: &stats}
	for _, s := range j.sealedSegments() {
		if !all && j.skips(s) {
			continue
		}
		if err := c.consider(s); err != nil {
			return stats, err
		}
	}
	return stats, c.finish()
}

// sealedSegments are those with a footer, in order.
func (j *Journal) sealedSegments() []*segment {
	j.sealedAll()
	j.mu.RLock()
	defer j.mu.RUnlock()
	return slices.DeleteFunc(j.ledger.numbered(), func(s *segment) bool { return s.rows != nil || s.lost })
}

// cycle is one run of garbage collection.
type cycle struct {
	j       *Journal
	ctx     context.Context
	applied map[replicaID]applied
	victims []*verdict
	bytes   int64 // to be copied for the victims
	stats   *CollectStats
}

// applied is a replica's durable applied index; unknown keeps everything.
type applied struct {
	index   uint64
	unknown bool
}

// verdict is what must be saved before a segment can go.
type verdict struct {
	segment *segment
	keep    bool
	live    int64
	names   []livePayload
	restate []liveEntry
	judged  map[replicaID]bool // the machines that were asked
}

type livePayload struct {
	id    replicaID
	name  Name
	row   row
	entry bool
}

type liveEntry struct {
	id  replicaID
	row row
}

// consider judges a segment and, if it may go, puts it among the victims.
func (c *cycle) consider(s *segment) error {
	c.stats.Judged++
	v, err := c.judge(s)
	if err != nil {
		return err
	}
	limit := s.end * relocateLivePercent / 100
	used := v.keep || v.live > limit
	c.j.judged(s, v.live, used)
	if used {
		return nil
	}
	if len(v.restate) > 0 {
		if v.keep, err = c.restate(v); err != nil || v.keep {
			return err
		}
	}
	if c.bytes+v.live > c.j.opts.SegmentBytes/2 {
		if err := c.finish(); err != nil {
			return err
		}
	}
	c.victims = append(c.victims, v)
	c.bytes += v.live
	return nil
}

// skips says whether a segment in use need not be looked at in this cycle.
func (j *Journal) skips(s *segment) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.judged.skip == 0 {
		return false
	}
	s.judged.skip--
	return true
}

// judged remembers a judgement. A segment in use stays so for a while: look again after more and more cycles.
func (j *Journal) judged(s *segment, live int64, used bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s.judged.known, s.judged.live = true, live
	if used {
		s.judged.wait = min(2*s.judged.wait+1, judgeEveryMax)
		s.judged.skip = s.judged.wait
	}
}

// judge finds what of a segment is still needed. It stops as soon as that is too much.
func (c *cycle) judge(s *segment) (*verdict, error) {
	v := &verdict{segment: s, judged: map[replicaID]bool{}}
	limit := s.end * relocateLivePercent / 100
	rd, err := c.j.pin(s)
	if err != nil {
		return nil, err
	}
	defer c.j.readers.release(rd)
	for _, g := range s.groups {
		if !g.payloads {
			if err := c.raft(v, rd, g, limit); err != nil || v.keep {
				return v, err
			}
		}
	}
	for _, g := range s.groups {
		if err := c.named(v, rd, g, limit); err != nil || v.keep || v.live > limit {
			return v, err
		}
	}
	return v, nil
}

// raft finds the rows that lie in Raft's range, if they are few and the segment is old: those are said again.
func (c *cycle) raft(v *verdict, rd *reader, g group, limit int64) error {
	first, last, _ := c.j.rangeOf(g.id)
	if first == 0 || g.max < first || g.min > last {
		return nil
	}
	if !c.j.old(v.segment) {
		v.keep = true
		return nil
	}
	bytes := 0
	for _, l := range v.restate {
		bytes += int(l.row.length)
	}
	return c.rows(v, rd, g, first, func(w row) bool {
		if c.j.places(g.id, v.segment.number, &w) {
			atEntryPinsSegment.Hit()
			v.restate = append(v.restate, liveEntry{g.id, w})
			bytes += int(w.length)
		}
		v.keep = int64(bytes) > min(limit, restateBytesMax)
		return !v.keep && w.index <= last
	})
}

// rows reads a group; a damaged index keeps the segment until it is made anew.
func (c *cycle) rows(v *verdict, rd *reader, g group, lo uint64, yield func(row) bool) error {
	err := c.j.groupRows(rd, v.segment.view(), g, lo, yield)
	if errors.Is(err, ErrDamaged) {
		atCollectIndexDamaged.Hit()
		c.j.reindexLater(v.segment.number)
		v.keep = true
		return nil
	}
	return err
}

// named finds the rows that live names need.
func (c *cycle) named(v *verdict, rd *reader, g group, limit int64) error {
	j := c.j
	j.mu.RLock()
	forgotten := v.segment.number < j.ledger.forgotten[g.id]
	j.mu.RUnlock()
	if forgotten {
		return nil
	}
	first, _, gone := j.rangeOf(g.id)
	a, err := c.appliedOf(g.id)
	if err != nil {
		return err
	}
	if a.unknown {
		v.keep = true
		return nil
	}
	hi := g.max
	if !g.payloads && first > 0 {
		hi = min(hi, first-1) // Raft's range and above: raft has seen to them
	}
	if hi > a.index {
		// Not judged yet: kept. Only of a replica without a log can nothing beyond be applied any more.
		if v.keep = g.payloads || !gone; v.keep {
			return nil
		}
		hi = a.index
	}
	if hi < g.min {
		return nil
	}
	var ws []row
	if err := c.rows(v, rd, g, g.min, func(w row) bool {
		ws = append(ws, w)
		return w.index <= hi
	}); err != nil || v.keep {
		return err
	}
	v.judged[g.id] = true
	l := *j.live.Load()
	err = l.Live(g.id.shard, g.id.replica, g.min, hi, func(n Name) bool {
		i, _ := slices.BinarySearchFunc(ws, n.Index, byIndex)
		for ; i < len(ws) && ws[i].index == n.Index; i++ {
			if _, ok := ws[i].named(n, !g.payloads); ok {
				v.names = append(v.names, livePayload{g.id, n, ws[i], !g.payloads})
				v.live += int64(n.Length)
				break
			}
		}
		return v.live <= limit
	})
	if errors.Is(err, ErrUnknownReplica) {
		v.keep = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("live names of %d/%d: %w", g.id.shard, g.id.replica, err)
	}
	return nil
}

// appliedOf asks a machine once per cycle how far it is durably applied.
func (c *cycle) appliedOf(id replicaID) (applied, error) {
	if a, ok := c.applied[id]; ok {
		return a, nil
	}
	a, err := c.flush(id)
	if err == nil {
		c.applied[id] = a
	}
	return a, err
}

func (c *cycle) flush(id replicaID) (applied, error) {
	l := c.j.live.Load()
	if l == nil {
		return applied{unknown: true}, nil
	}
	index, err := (*l).Flushed(c.ctx, id.shard, id.replica)
	if errors.Is(err, ErrUnknownReplica) {
		return applied{unknown: true}, nil
	}
	if err != nil {
		return applied{}, fmt.Errorf("flush %d/%d: %w", id.shard, id.replica, err)
	}
	return applied{index: index}, nil
}

// finish copies what lives of the victims and frees them.
func (c *cycle) finish() error {
	victims := c.victims
	c.victims, c.bytes = nil, 0
	if len(victims) == 0 {
		return nil
	}
	atSegmentsToFree.Hit()
	fresh, victims, err := c.relocate(victims)
	if err != nil || len(victims) == 0 {
		return err
	}
	// What Live judged becomes durable before what it found dead goes.
	done := map[replicaID]bool{}
	for _, v := range victims {
		for id := range v.judged {
			if done[id] {
				continue
			}
			done[id] = true
			a, err := c.flush(id)
			if err != nil {
				return err
			}
			if a.unknown || a.index < c.applied[id].index {
				return fmt.Errorf("BUG: %d/%d was durably applied to %d, now to %d", id.shard, id.replica, c.applied[id].index, a.index)
			}
		}
	}
	return c.free(fresh, victims)
}

// free makes the exchange of segments durable in one batch, then recycles the old files.
func (c *cycle) free(fresh *segment, victims []*verdict) error {
	j := c.j
	var ds []descriptor
	if fresh != nil {
		atPayloadsMoved.Hit()
		ds = append(ds, descriptor{kind: kindSegmentAdded, index: fresh.number, term: uint64(fresh.end)})
		j.mu.Lock()
		j.arriving = fresh
		j.mu.Unlock()
	}
	for _, v := range victims {
		ds = append(ds, descriptor{kind: kindSegmentRemoved, index: v.segment.number})
	}
	b, err := j.reserve(ds, true)
	if err != nil {
		return err
	}
	b.fillers.Done()
	if <-b.done; b.err != nil {
		return b.err
	}
	for _, v := range victims {
		atSegmentFreed.Hit()
		j.readers.drop(v.segment.number)
		j.damage.freed(v.segment.number)
		if err := j.recycle(v.segment.number); err != nil {
			return err
		}
		c.stats.Freed++
		c.stats.BytesFreed += v.segment.end
		j.count(func(n *counts) { n.freed++; n.freedBytes += uint64(v.segment.end) })
	}
	j.measure()
	return nil
}

// applySegmentLocked changes the set of segments.
func (j *Journal) applySegmentLocked(rec *record) error {
	l := j.ledger
	if rec.kind == kindSegmentRemoved {
		if s := l.segments[rec.index]; s != nil {
			atSegmentDropped.Hit()
			l.drop(s)
		}
		return nil
	}
	s := j.arriving
	j.arriving = nil
	if s == nil || s.number != rec.index { // while recovering
		atRecoveredMoved.Hit()
		s = &segment{number: rec.index, end: int64(rec.term), payload: true}
		if err := j.loadSegment(s, map[replicaID]uint64{}); err != nil {
			return err
		}
	}
	l.add(s)
	return nil
}

// pin keeps a sealed segment's file from being recycled.
func (j *Journal) pin(s *segment) (*reader, error) { return j.readers.acquire(s.number) }

// old says whether at least two log segments were begun after s: what Raft still needs of it, it will need for long.
func (j *Journal) old(s *segment) bool {
	j.mu.RLock()
	defer j.mu.RUnlock()
	n := 0
	for _, t := range j.ledger.segments {
		if !t.payload && t.number > s.number {
			n++
		}
	}
	return n >= 2
}

// rangeOf gives Raft's range of a replica's log; first 0: it has none.
func (j *Journal) rangeOf(id replicaID) (first, last uint64, gone bool) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	r := j.ledger.replicas[id]
	if r == nil {
		return 0, 0, true
	}
	if r.first == 0 {
		return 0, 0, r.gone
	}
	return r.first, r.last(), r.gone
}

// places says whether Raft's range finds this entry here.
func (j *Journal) places(id replicaID, segment uint64, w *row) bool {
	j.mu.RLock()
	defer j.mu.RUnlock()
	r := j.ledger.replicas[id]
	return r != nil && r.covers(w.index) && r.at(w.index).segment == segment && r.at(w.index).offset == w.offset
}

// ForgetReplica frees what is left of a removed replica, its payloads too: nobody names them any more.
func (j *Journal) ForgetReplica(shard, replica uint64) error {
	atReplicaForgotten.Hit()
	j.collectMu.Lock() // nothing of it may be under way into a new segment
	defer j.collectMu.Unlock()
	return j.renew(descriptor{kind: kindForget, id: replicaID{shard, replica}}, nil)
}
