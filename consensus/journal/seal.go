package journal

import (
	"errors"
	"fmt"
)

// toSeal is a segment whose batches are complete and whose footer is still to be written.
type toSeal struct {
	segment *segment
	writer  *writer // nil: open one
}

// seal hands a segment to the sealer. Nobody waits for it: until the footer is there, the index is in memory.
func (j *Journal) seal(s *segment, w *writer) {
	j.sealMu.Lock()
	defer j.sealMu.Unlock()
	j.toSeal = append(j.toSeal, toSeal{s, w})
	j.sealCond.Broadcast()
}

// sealer writes footers, one at a time, until Close.
func (j *Journal) sealer() {
	defer j.wait.Done()
	for {
		j.sealMu.Lock()
		for len(j.toSeal) == 0 && !j.sealStop {
			j.sealCond.Wait()
		}
		if len(j.toSeal) == 0 {
			j.sealMu.Unlock()
			return
		}
		next := j.toSeal[0]
		j.sealMu.Unlock()
		err := j.writeFooter(next)
		if err != nil {
			// The segment stays as it is: its index in memory, and read whole at the next start. The next cycle of
			// garbage collection tries again.
			atFooterFailed.Hit()
			j.log.Error("journal: a footer could not be written", "segment", next.segment.number, "err", err)
		}
		j.sealMu.Lock()
		if err != nil {
			j.sealAgain = append(j.sealAgain, toSeal{next.segment, nil})
		}
		j.toSeal = j.toSeal[1:]
		j.sealCond.Broadcast()
		j.sealMu.Unlock()
	}
}

// sealedAll waits until the sealer has nothing to do.
func (j *Journal) sealedAll() {
	j.sealMu.Lock()
	defer j.sealMu.Unlock()
	for len(j.toSeal) > 0 && !j.sealStop {
		j.sealCond.Wait()
	}
}

// sealRetry takes up again what could not be sealed.
func (j *Journal) sealRetry() {
	j.sealMu.Lock()
	defer j.sealMu.Unlock()
	j.toSeal = append(j.toSeal, j.sealAgain...)
	j.sealAgain = nil
	j.sealCond.Broadcast()
}

func (j *Journal) writeFooter(t toSeal) (err error) {
	s, w := t.segment, t.writer
	if err := j.failed(); errors.Is(err, ErrStopped) {
		return err
	}
	if w == nil {
		if w, err = j.openWriter(s.number); err != nil {
			return err
		}
	}
	// The rows do not change any more, so they are read without the lock.
	b, groups := encodeFooter(s.number, s.end, s.rows)
	if err := errors.Join(w.write(b, s.end), w.close()); err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	head, err := decodeFooterHead(b, s.number, s.end)
	if err != nil {
		return fmt.Errorf("BUG: footer just written: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.footer, s.groups, s.rows = head, groups, nil
	j.counts.bytes += uint64(len(b))
	j.counts.syncs++
	return nil
}
