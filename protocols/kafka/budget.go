package kafka

import (
	"errors"
	"sync"
)

// budget bounds the bytes of requests in memory over all connections.
//
// Readers that each hold half a request and wait for room would wait for ever, so the longest waiting one may exceed the
// bound: at most one lease does, until it is returned. The bound is therefore max plus one request.
type budget struct {
	mu      sync.Mutex
	max     int64
	used    int64
	over    *lease // the one that may exceed max
	waiting []*waiter
}

type waiter struct {
	lease   *lease
	bytes   int64
	granted chan struct{}
}

// lease is one request's part of a budget; its zero bytes cost nothing.
type lease struct {
	budget *budget
	bytes  int64
}

var errClosing = errors.New("the connection is closing")

func newBudget(max int64) *budget { return &budget{max: max} }

func (b *budget) held() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// grow takes n more bytes, or waits for them until done is closed.
func (l *lease) grow(n int64, done <-chan struct{}) error {
	b := l.budget
	b.mu.Lock()
	if b.over == l || len(b.waiting) == 0 && b.used+n <= b.max {
		b.grantLocked(l, n)
		b.mu.Unlock()
		return nil
	}
	w := &waiter{lease: l, bytes: n, granted: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.admitLocked()
	b.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-done:
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, x := range b.waiting {
			if x == w {
				b.waiting = append(b.waiting[:i], b.waiting[i+1:]...)
				b.admitLocked()
				break
			}
		}
		return errClosing
	}
}

// release returns all of a lease.
func (l *lease) release() {
	b := l.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= l.bytes
	l.bytes = 0
	if b.over == l {
		b.over = nil
	}
	b.admitLocked()
}

func (b *budget) grantLocked(l *lease, n int64) {
	b.used += n
	l.bytes += n
}

func (b *budget) admitLocked() {
	for len(b.waiting) > 0 {
		w := b.waiting[0]
		if b.used+w.bytes > b.max {
			if b.over != nil {
				return
			}
			b.over = w.lease
		}
		b.grantLocked(w.lease, w.bytes)
		close(w.granted)
		b.waiting[0] = nil
		b.waiting = b.waiting[1:]
	}
}
