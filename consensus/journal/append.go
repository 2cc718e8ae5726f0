package journal

import (
	"sync"
)

// openBatch is the batch being filled while the one before it is written. Whoever has records reserves room under the
// lock and marshals them there itself, so the committer copies nothing.
type openBatch struct {
	block   *block
	start   int // in the block
	used    int // bodies end here, counted from start
	parts   [][]descriptor
	count   int
	urgent  bool           // somebody waits
	fillers sync.WaitGroup // those still marshalling
	done    chan struct{}  // closed when durable and applied, or failed
	err     error
}

// mem is the batch's memory: header, bodies, directory.
func (b *openBatch) mem() []byte { return b.block.mem[b.start:] }

// size is its length on disk were n bytes in c records added.
func (b *openBatch) size(n, c int) int64 {
	return align(int64(b.used) + int64(n) + int64(b.count+c)*descriptorBytes)
}

// pending is a small record that must not wait for room.
type pending struct {
	d    descriptor
	body []byte
}

// appender hands out room in the open batch.
type appender struct {
	mu        sync.Mutex
	room      sync.Cond
	block     *block // where the next batch goes
	next      int
	open      *openBatch
	last      *openBatch // taken last, perhaps still being written
	deferred  []pending  // go first into the next batch
	err       error      // set once: closed or failed
	submitted map[replicaID]submitted
	kick      chan struct{}
}

// reserve gives room for ds, whose lengths are set, and sets their offsets. The caller fills bodies and checksums and
// then calls fillers.Done; if urgent it waits for done.
func (j *Journal) reserve(ds []descriptor, urgent bool) (*openBatch, error) {
	a := &j.append
	a.mu.Lock()
	defer a.mu.Unlock()
	return j.reserveLocked(ds, urgent)
}

func (j *Journal) reserveLocked(ds []descriptor, urgent bool) (*openBatch, error) {
	a := &j.append
	n := 0
	for i := range ds {
		n += int(ds[i].length)
	}
	for {
		if a.err != nil {
			return nil, a.err
		}
		if a.open == nil {
			j.openLocked(n, len(ds))
		}
		if b := a.open; a.fits(b, n, len(ds)) {
			a.takeLocked(b, ds, n)
			if (urgent || b.used > lazyBytesMax) && !b.urgent {
				b.urgent = true
				j.wake()
			}
			return b, nil
		}
		atBatchFull.Hit()
		a.open.urgent = true
		j.wake()
		a.room.Wait()
	}
}

// fits: the first records of a batch always do, for the block was got for them.
func (a *appender) fits(b *openBatch, n, c int) bool {
	size := b.size(n, c)
	return size <= int64(len(b.mem())) && (b.count == 0 || size <= batchBytesMax)
}

func (a *appender) takeLocked(b *openBatch, ds []descriptor, n int) {
	at := b.used
	for i := range ds {
		ds[i].offset = uint32(at)
		at += int(ds[i].length)
	}
	b.used += n
	b.parts = append(b.parts, ds)
	b.count += len(ds)
	b.fillers.Add(1)
}

// openLocked begins a batch with room for n bytes in c records, behind the one before it or in a new block.
func (j *Journal) openLocked(n, c int) {
	a := &j.append
	for _, p := range a.deferred {
		n += len(p.body)
	}
	c += len(a.deferred)
	need := align(headerBytes + int64(n) + int64(c)*descriptorBytes)
	if a.block == nil || int64(len(a.block.mem)-a.next) < need {
		a.block, a.next = j.cache.block(need), 0
	}
	b := &openBatch{block: a.block, start: a.next, used: headerBytes, done: make(chan struct{})}
	a.open = b
	for _, p := range a.deferred {
		a.putLocked(b, p)
	}
	a.deferred = nil
}

func (a *appender) putLocked(b *openBatch, p pending) {
	ds := []descriptor{p.d}
	ds[0].length = uint32(len(p.body))
	ds[0].crc = checksum(p.body)
	a.takeLocked(b, ds, len(p.body))
	copy(b.mem()[ds[0].offset:], p.body)
	b.fillers.Done()
}

// lazily appends a small record in log order without waiting for anything: not for room, not for a sync.
func (j *Journal) lazily(d descriptor, body []byte) error {
	a := &j.append
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return a.err
	}
	p := pending{d, body}
	switch {
	case a.open == nil:
		a.deferred = append(a.deferred, p)
		j.openLocked(0, 0)
	case a.fits(a.open, len(body), 1):
		a.putLocked(a.open, p)
	default:
		a.deferred = append(a.deferred, p)
		atRecordDeferred.Hit()
	}
	if a.open.used > lazyBytesMax && !a.open.urgent {
		a.open.urgent = true
		j.wake()
	}
	return nil
}

// take closes the open batch for good: only what is reserved in it still arrives. Nil: there is none worth writing.
func (j *Journal) take(force bool) *openBatch {
	a := &j.append
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil && force {
		j.openLocked(0, 0)
	}
	b := a.open
	if b == nil || !b.urgent && !force {
		return nil
	}
	a.open, a.last = nil, b
	a.next = b.start + int(b.size(0, 0))
	a.room.Broadcast()
	return b
}

func (j *Journal) wake() {
	select {
	case j.append.kick <- struct{}{}:
	default:
	}
}

// submit appends one record and waits until it is durable.
func (j *Journal) submit(d descriptor, body []byte) error {
	d.length = uint32(len(body))
	ds := []descriptor{d}
	b, err := j.reserve(ds, true)
	if err != nil {
		return err
	}
	copy(b.mem()[ds[0].offset:], body)
	ds[0].crc = checksum(body)
	b.fillers.Done()
	<-b.done
	return b.err
}

// settle waits until everything appended so far is durable and applied, records without a sync of their own included.
func (j *Journal) settle() error {
	a := &j.append
	a.mu.Lock()
	b := a.open
	if b != nil && !b.urgent {
		b.urgent = true
		j.wake()
	}
	last := a.last
	err := a.err
	a.mu.Unlock()
	if b == nil {
		b = last
	}
	if b == nil {
		return err
	}
	<-b.done
	return b.err
}
