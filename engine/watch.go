package engine

import (
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
)

// watch wakes readers that wait at the end of partitions. A reader registers first and
// looks at the log afterwards, so an append between the two wakes it.
type watch struct {
	mu      sync.Mutex
	waiting map[broker.Partition]map[*waiter]struct{}
}

// waiter is one reader; it may wait for many partitions at once.
type waiter struct {
	woken chan struct{} // capacity 1: a wake-up is never lost, many are one
	parts []broker.Partition
}

func newWatch() *watch {
	return &watch{waiting: map[broker.Partition]map[*waiter]struct{}{}}
}

// register makes a waiter for the partitions; drop must follow.
func (w *watch) register(parts []broker.Partition) *waiter {
	x := &waiter{woken: make(chan struct{}, 1), parts: parts}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range parts {
		set := w.waiting[p]
		if set == nil {
			set = map[*waiter]struct{}{}
			w.waiting[p] = set
		}
		set[x] = struct{}{}
	}
	return x
}

// drop forgets a waiter.
func (w *watch) drop(x *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range x.parts {
		set := w.waiting[p]
		delete(set, x)
		if len(set) == 0 {
			delete(w.waiting, p)
		}
	}
}

// wake wakes whoever waits for one of the partitions; called after the rows are committed.
func (w *watch) wake(parts []broker.Partition) {
	if len(parts) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range parts {
		for x := range w.waiting[p] {
			select {
			case x.woken <- struct{}{}:
			default:
			}
		}
	}
}

// wakeAll wakes everybody, for example when leadership moved: each looks again.
func (w *watch) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, set := range w.waiting {
		for x := range set {
			select {
			case x.woken <- struct{}{}:
			default:
			}
		}
	}
}
