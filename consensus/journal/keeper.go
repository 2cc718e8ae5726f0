package journal

import (
	"errors"
	"time"
)

// keeper watches the disk's space, keeps the reserve and the spares, and makes damaged footers anew.
func (j *Journal) keeper() {
	defer j.wait.Done()
	ticker := time.NewTicker(spaceEvery)
	defer ticker.Stop()
	busy := newPatience(j)
	defer busy.timer.Stop()
	for {
		if err := j.refill(busy.stop); err != nil && !errors.Is(err, errStopped) && !isFull(err) {
			j.log.Error("journal: preparing a spare segment", "err", err)
		} else {
			j.full.Store(isFull(err))
		}
		j.measure()
		if j.space.get() != SpaceOK {
			select {
			case j.collects <- struct{}{}:
			default:
			}
		}
		select {
		case n := <-j.reindexes:
			if !j.collectMu.TryLock() {
				continue // a cycle reads indexes: it will be asked again
			}
			err := j.reindex(n)
			j.collectMu.Unlock()
			if err != nil {
				j.log.Error("journal: making an index anew", "segment", n, "err", err)
			}
		case <-ticker.C:
		case <-j.stop:
			return
		}
	}
}

// patience makes background writes give way to appends.
type patience struct {
	j     *Journal
	seen  uint64
	timer *time.Timer
}

func newPatience(j *Journal) *patience { return &patience{j: j, timer: time.NewTimer(0)} }

// stop waits a moment if batches were written since it was last asked, and says whether the journal closes.
func (p *patience) stop() bool {
	p.j.mu.RLock()
	now := p.j.counts.batches
	p.j.mu.RUnlock()
	pause := time.Duration(0)
	if now != p.seen {
		atGaveWay.Hit()
		pause = giveWay
	}
	p.seen = now
	p.timer.Reset(pause)
	select {
	case <-p.timer.C:
		return false
	case <-p.j.stop:
		return true
	}
}

// collector runs garbage collection now and then.
func (j *Journal) collector() {
	defer j.wait.Done()
	ctx, cancel := j.context()
	defer cancel()
	ticker := time.NewTicker(collectEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-j.collects:
		case <-ctx.Done():
			return
		}
		if j.live.Load() == nil || actCollectLate.Now() {
			continue
		}
		if _, err := j.collect(ctx, j.space.get() != SpaceOK); err != nil && ctx.Err() == nil && !errors.Is(err, ErrStopped) {
			j.log.Error("journal: garbage collection stopped early", "err", err)
		}
	}
}

// reindexLater asks the keeper for a new footer.
func (j *Journal) reindexLater(number uint64) {
	select {
	case j.reindexes <- number:
	default: // it will be asked again
	}
}

// reindex makes a sealed segment's index anew from its batches.
func (j *Journal) reindex(number uint64) error {
	j.mu.RLock()
	s := j.ledger.segments[number]
	if s == nil || s.rows != nil {
		j.mu.RUnlock()
		return nil
	}
	pin, err := j.readers.acquire(number)
	j.mu.RUnlock()
	if err != nil {
		return err
	}
	x := &indexer{segment: number, rows: map[replicaID]*rows{}, hole: func(*found) {}}
	x.stale = func(id replicaID, index, term uint64) bool {
		j.mu.RLock()
		defer j.mu.RUnlock()
		r := j.ledger.replicas[id]
		return r != nil && r.covers(index) && r.at(index).term > term
	}
	err = j.index(x, s.end)
	j.readers.release(pin)
	if err != nil {
		return err
	}
	j.mu.Lock()
	if j.ledger.segments[number] == s && s.rows == nil {
		atIndexAnew.Hit()
		s.rows, s.rowCount, s.groups = x.rows, x.count, nil
		j.indexCache.drop(number)
		j.mu.Unlock()
		j.log.Warn("journal: a damaged footer is written anew", "segment", number)
		j.seal(s, nil)
		return nil
	}
	j.mu.Unlock()
	return nil
}
