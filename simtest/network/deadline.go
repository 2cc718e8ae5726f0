package network

import (
	"sync"
	"time"
)

// deadline is a point in time that closes a channel when it passes.
type deadline struct {
	mu     sync.Mutex
	timer  *time.Timer
	passes chan struct{}
}

func (d *deadline) init() { d.passes = make(chan struct{}) }

// set moves the deadline; the zero time removes it.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		// It fired or fires now: what waits on the old channel ends with it.
		select {
		case <-d.passes:
		default:
			close(d.passes)
		}
	}
	d.timer = nil
	select {
	case <-d.passes:
		d.passes = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	passes := d.passes
	wait := time.Until(t)
	if wait <= 0 {
		close(passes)
		return
	}
	outside(func() {
		d.timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			select {
			case <-passes:
			default:
				close(passes)
			}
		})
	})
}

func (d *deadline) wait() chan struct{} { d.mu.Lock(); defer d.mu.Unlock(); return d.passes }

func (d *deadline) passed() bool {
	select {
	case <-d.wait():
		return true
	default:
		return false
	}
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	c.read.set(t)
	c.write.set(t)
	return nil
}

// SetReadDeadline sets the deadline of reads, also of one that waits.
func (c *Conn) SetReadDeadline(t time.Time) error { c.read.set(t); return nil }

// SetWriteDeadline sets the deadline of writes, also of one that waits.
func (c *Conn) SetWriteDeadline(t time.Time) error { c.write.set(t); return nil }
