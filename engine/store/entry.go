package store

import (
	"sync"
	"sync/atomic"
)

// entry counts the calls that are inside pebble, because pebble panics when it is closed under one. It is no
// sync.RWMutex: a Scan whose yield calls Get would deadlock with a waiting Close.
type entry struct {
	// calls inside, plus closingBit once Close began.
	n       atomic.Int64
	once    sync.Once
	drained chan struct{}
	// closing is closed first: whoever waits for something inside gives up.
	closing chan struct{}
}

const closingBit = 1 << 62

func (e *entry) init() {
	e.drained = make(chan struct{})
	e.closing = make(chan struct{})
}

func (e *entry) enter() bool {
	if e.n.Add(1)&closingBit != 0 {
		e.leave()
		return false
	}
	return true
}

func (e *entry) leave() {
	if e.n.Add(-1) == closingBit {
		e.once.Do(func() { close(e.drained) })
	}
}

// shut lets nobody in any more and waits until all are out. The second call returns false at once.
func (e *entry) shut() bool {
	for {
		n := e.n.Load()
		if n&closingBit != 0 {
			return false
		}
		if e.n.CompareAndSwap(n, n+closingBit) {
			break
		}
	}
	close(e.closing)
	if e.n.Load() == closingBit {
		e.once.Do(func() { close(e.drained) })
	}
	<-e.drained
	return true
}

// enter admits a call into pebble, or says why not.
func (s *Store) enter() error {
	if err := s.fatalError(); err != nil {
		return err
	}
	if !s.entry.enter() {
		return ErrClosed
	}
	return nil
}

func (s *Store) leave() { s.entry.leave() }
