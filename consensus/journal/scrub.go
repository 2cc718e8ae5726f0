package journal

import (
	"context"
	"errors"
	"time"
)

// Scrub verifies every sealed segment once, now: batches, bodies and footer. What is damaged and still needed is
// reported; a damaged footer is made anew from the batches.
func (j *Journal) Scrub(ctx context.Context) (ScrubStats, error) {
	return j.scrub(ctx, func(int64) error { return ctx.Err() })
}

func (j *Journal) scrub(ctx context.Context, pace func(bytes int64) error) (stats ScrubStats, err error) {
	j.scrubMu.Lock()
	defer j.scrubMu.Unlock()
	if j.closed.Load() {
		return stats, ErrClosed
	}
	before := len(j.Damages())
	for _, s := range j.sealedSegments() {
		if err := pace(0); err != nil {
			return stats, err
		}
		n, err := j.scrubSegment(s, pace)
		stats.Bytes += n
		if err != nil {
			return stats, err
		}
		stats.Segments++
	}
	stats.Damages = max(0, len(j.Damages())-before)
	return stats, nil
}

func (j *Journal) scrubSegment(s *segment, pace func(int64) error) (bytes int64, err error) {
	j.mu.RLock()
	if j.ledger.segments[s.number] != s || s.rows != nil {
		j.mu.RUnlock()
		atScrubOvertaken.Hit()
		return 0, nil // freed, or made anew, meanwhile
	}
	rd, err := j.readers.acquire(s.number)
	view, groups := s.view(), s.groups
	j.mu.RUnlock()
	if err != nil {
		return 0, err
	}
	defer j.readers.release(rd)
	sc := &scanner{rd: rd, limit: s.end}
	var holes []*found
	_, err = sc.scan(0, func(f *found) error {
		n := f.hole
		if f.hole > 0 {
			atScrubHole.Hit()
			holes = append(holes, f)
		} else {
			n = f.header.padded()
			for i := range f.records {
				if rec := &f.records[i]; rec.bad {
					j.scrubbed(rec)
				}
			}
		}
		bytes += n
		j.count(func(c *counts) { c.scrubbed += uint64(n) })
		return pace(n)
	})
	if err != nil {
		return bytes, err
	}
	// The footer: of its own sake, and to know what lay in the holes.
	for _, g := range groups {
		err := j.groupRows(rd, view, g, 0, func(w row) bool {
			for _, f := range holes {
				if int64(w.offset) < f.offset+f.hole && int64(w.offset)+int64(w.length) > f.offset {
					if _, err := j.readRow(s.number, &w, nil); errors.Is(err, ErrDamaged) {
						j.scrubbed(&record{descriptor: descriptor{kind: kindOf(g), id: g.id, index: w.index, term: w.term, length: w.length, extra: w.extra},
							segment: s.number, at: w.offset})
					}
				}
			}
			return true
		})
		if errors.Is(err, ErrDamaged) {
			atScrubIndex.Hit()
			j.reindexLater(s.number)
			continue
		}
		if err != nil {
			return bytes, err
		}
	}
	return bytes, nil
}

func kindOf(g group) kind {
	if g.payloads {
		return kindPayload
	}
	return kindEntry
}

// scrubbed reports a damaged body, unless it is of an entry that was overwritten or trimmed away by a new history.
func (j *Journal) scrubbed(rec *record) {
	switch rec.kind {
	case kindEntry, kindRestate:
		w := rowOf(rec)
		raft := j.inRaftRange(rec.id, rec.index)
		if raft && !j.places(rec.id, rec.segment, &w) {
			return
		}
		x := *rec
		x.kind = kindEntry
		atScrubEntry.Hit()
		j.damage.found(&x, raft)
	case kindPayload:
		atScrubPayload.Hit()
		j.damage.found(rec, false)
	}
	// Anything else is said again in every later head.
}

// scrubber scrubs all the time, at its rate.
func (j *Journal) scrubber() {
	defer j.wait.Done()
	ctx, cancel := j.context()
	defer cancel()
	timer := time.NewTimer(scrubEvery)
	defer timer.Stop()
	pace := func(bytes int64) error {
		// The time that so many bytes take at the rate.
		timer.Reset(time.Duration(float64(bytes) / float64(j.opts.ScrubBytesPerSecond) * float64(time.Second)))
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if _, err := j.scrub(ctx, pace); err != nil && ctx.Err() == nil {
			j.log.Error("journal: scrubbing stopped early", "err", err)
		}
		timer.Reset(scrubEvery)
	}
}

// context ends at Close.
func (j *Journal) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	j.wait.Add(1) // called by a goroutine that is counted itself
	go func() {
		defer j.wait.Done()
		select {
		case <-j.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
