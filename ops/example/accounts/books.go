package main

import (
	"errors"
	"fmt"
	"sync"
)

// books are what is known of each account.
type books struct {
	mu       sync.Mutex
	accounts map[string]*account
	wrong    error // the first thing that is

	sent, confirmed, entered, again, refused, gave int
}

// account is one account's movements, numbered from 1.
type account struct {
	sent      int
	confirmed map[int]bool
	delivered int   // the last one
	fence     int64 // of its last delivery
	entered   int
}

// errRefused tells a worker that the movement it has is somebody else's by now.
var errRefused = errors.New("a later delivery of this account is known")

// send numbers the next movement of an account.
func (b *books) send(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[name]
	if a == nil {
		a = &account{confirmed: map[int]bool{}}
		b.accounts[name] = a
	}
	a.sent++
	b.sent++
	return a.sent
}

func (b *books) confirm(name string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts[name].confirmed[n] = true
	b.confirmed++
}

// deliver takes note of a delivery. errRefused: it was taken back before the worker saw it.
func (b *books) deliver(name string, n int, fence int64, redelivered bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[name]
	switch {
	case a == nil || n < 1 || n > a.sent:
		return b.fail("movement %d of account %s was never sent", n, name)
	case fence == a.fence:
		return b.fail("two deliveries of account %s have fence %d", name, fence)
	case fence < a.fence:
		b.refused++
		return errRefused
	case n < a.delivered:
		return b.fail("movement %d of account %s is delivered after movement %d", n, name, a.delivered)
	case n == a.delivered && !redelivered:
		return b.fail("movement %d of account %s is delivered twice, and not marked as redelivered", n, name)
	}
	for i := a.delivered + 1; i < n; i++ {
		if a.confirmed[i] {
			return b.fail("movement %d of account %s is delivered before movement %d, which was confirmed", n, name, i)
		}
	}
	if n > a.delivered && a.delivered > a.entered {
		return b.fail("movement %d of account %s is delivered before anybody entered movement %d", n, name, a.delivered)
	}
	a.delivered, a.fence = n, fence
	return nil
}

// enter enters a movement: done twice it counts once.
func (b *books) enter(name string, n int, fence int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[name]
	switch {
	case fence < a.fence:
		b.refused++
		return errRefused
	case n == a.entered:
		b.again++ // its acknowledgement was lost
	default:
		a.entered = n
		b.entered++
	}
	return nil
}

func (b *books) gaveBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gave++
}

func (b *books) fail(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if b.wrong == nil {
		b.wrong = err
	}
	return err
}

// failed is the first thing that was wrong.
func (b *books) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wrong
}

// whole says whether every confirmed movement was entered.
func (b *books) whole() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	missing, first := 0, ""
	for name, a := range b.accounts { //lint:sorted any missing one will do
		last := 0
		for n := range a.confirmed { //lint:sorted the greatest
			last = max(last, n)
		}
		if last > a.entered {
			missing++
			first = fmt.Sprintf("%s: %d of %d", name, a.entered, last)
		}
	}
	if missing > 0 {
		return fmt.Errorf("of %d accounts movements are missing that were confirmed, as of %s", missing, first)
	}
	return nil
}

func (b *books) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%d movements of %d accounts sent, %d confirmed, %d entered, %d given back, %d entered before, %d refused by their fence", b.sent, len(b.accounts), b.confirmed, b.entered, b.gave,
		b.again, b.refused)
}
