package journal

import (
	"errors"
	"fmt"
	"time"
)

// commit is the committer: the only one who writes to the log. It takes what all shards have waiting, writes it, which
// syncs it, applies it to the ledger and wakes who waits. While it writes, the next batch fills.
func (j *Journal) commit() {
	defer j.wait.Done()
	idle := time.NewTimer(markerIdle)
	defer idle.Stop()
	proven := true // nothing acknowledged lies behind the last header
	for {
		select {
		case <-j.append.kick:
		case <-idle.C:
			// A marker, with the records that waited without need of a sync: its header proves the sync before it.
			if b := j.take(!proven || j.waiting()); b != nil {
				atMarkerWritten.Hit()
				j.write(b)
			}
			proven = true
			continue
		case <-j.stop:
			j.drain(proven)
			return
		}
		actBatchWaits.Pause(actWaitMax)
		for b := j.take(false); b != nil; b = j.take(false) {
			j.write(b)
			proven = false
		}
		idle.Reset(markerIdle)
	}
}

// drain writes what is left, and a marker, at Close.
func (j *Journal) drain(proven bool) {
	for b := j.take(false); b != nil; b = j.take(false) {
		j.write(b)
		proven = false
	}
	if !proven || j.waiting() {
		j.write(j.take(true))
	}
	j.append.mu.Lock()
	defer j.append.mu.Unlock()
	if j.append.err == nil {
		j.append.err = ErrClosed
	}
	if b := j.append.open; b != nil {
		b.err = j.append.err
		close(b.done)
		j.append.open = nil
	}
	j.append.room.Broadcast()
}

// write makes a batch durable. A failure is final: what a failed sync left on the disk nobody knows.
func (j *Journal) write(b *openBatch) {
	b.fillers.Wait()
	err := j.failed()
	if err == nil {
		err = j.writeBatch(b)
		if err != nil {
			j.fail(err)
			err = j.failed()
		}
	}
	b.err = err
	close(b.done)
}

func (j *Journal) writeBatch(b *openBatch) error {
	l := j.ledger
	size := b.size(0, 0)
	full := l.active.end+size+l.active.room(b.count) > j.opts.SegmentBytes
	if l.active.end > j.headEnd && (full || actRollEarly.Now()) {
		atRolled.Hit()
		if err := j.roll(); err != nil {
			return err
		}
	}
	at := l.active.end
	h := header{kind: batchRecords, segment: l.active.number, offset: at, open: l.open, sequence: l.sequence + 1, synced: j.synced}
	buf := h.seal(b.mem(), b.used, b.parts)
	if err := j.out.write(buf, at); err != nil {
		return err
	}
	// Durable now. A crash from here on finds it.
	j.synced = position{l.active.number, at + int64(len(buf))}
	j.mu.Lock()
	defer j.mu.Unlock()
	l.sequence++
	l.active.end = j.synced.offset
	for _, ds := range b.parts {
		for i := range ds {
			rec := record{descriptor: ds[i], segment: l.active.number, at: uint32(at) + ds[i].offset}
			rec.body = buf[ds[i].offset : ds[i].offset+ds[i].length]
			if err := j.applyLocked(&rec); err != nil {
				return fmt.Errorf("BUG: apply what was just written: %w", err)
			}
		}
	}
	if b.count > 0 {
		j.cache.add(span{l.active.number, at, int64(len(buf)), b.block, b.start})
	}
	j.counts.batches++
	j.counts.records += uint64(b.count)
	j.counts.syncs++
	j.counts.bytes += uint64(len(buf))
	j.counts.padding += uint64(len(buf)) - uint64(h.length)
	return nil
}

// applyLocked changes the ledger, and the list of damages, by a durable record.
func (j *Journal) applyLocked(rec *record) error {
	switch rec.kind {
	case kindSegmentAdded, kindSegmentRemoved:
		return j.applySegmentLocked(rec)
	}
	if err := j.ledger.apply(rec); err != nil {
		return err
	}
	j.damage.applied(rec)
	return nil
}

// roll seals the active segment and begins another. Every batch so far is durable, so the ledger is exactly the log up
// to here; the new head says all of it again, and nothing before it is needed but for entries. The footer of the old
// segment is written in the background: until it is there, a restart scans.
func (j *Journal) roll() error {
	old, oldWriter := j.ledger.active, j.out
	j.mu.Lock()
	number := j.ledger.nextSegment
	j.ledger.nextSegment++
	j.mu.Unlock()
	if err := j.begin(number); err != nil {
		return err
	}
	j.seal(old, oldWriter)
	return nil
}

// begin makes a segment the active one: a file, durable under its number before a byte is written for it, and the head.
func (j *Journal) begin(number uint64) error {
	if err := j.claim(number); err != nil {
		return err
	}
	w, err := j.openWriter(number)
	if err != nil {
		return err
	}
	s := &segment{number: number, rows: map[replicaID]*rows{}}
	j.mu.Lock()
	head := j.encodeHeads(s)
	j.mu.Unlock()
	if err := w.write(head, 0); err != nil {
		return errors.Join(err, w.close())
	}
	j.synced = position{number, int64(len(head))}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.end = int64(len(head))
	j.headEnd = s.end
	j.ledger.sequence += 2
	j.ledger.segments[number] = s
	j.ledger.active = s
	j.out = w
	j.counts.bytes += uint64(len(head))
	j.counts.syncs++
	return nil
}

// waiting says whether records without need of a sync wait in the open batch.
func (j *Journal) waiting() bool {
	j.append.mu.Lock()
	defer j.append.mu.Unlock()
	return j.append.open != nil
}

func (j *Journal) failed() error {
	j.append.mu.Lock()
	defer j.append.mu.Unlock()
	return j.append.err
}

// fail stops the append path for good.
func (j *Journal) fail(err error) {
	j.append.mu.Lock()
	atAppendFailed.Hit()
	if j.append.err == nil {
		j.append.err = fmt.Errorf("%w: %w", ErrStopped, err)
	}
	if b := j.append.open; b != nil {
		// Whoever still fills it finds the memory there; whoever waits for it wakes.
		j.append.open = nil
		b.err = j.append.err
		close(b.done)
	}
	j.append.room.Broadcast()
	j.append.mu.Unlock()
	j.log.Error("journal: a write failed, the node must stop", "err", err)
	j.notify.fatal(err)
}
