package simtest

import "runtime"

// A collector runs the garbage collector for a world, from outside of it. Inside,
// the turns that runtime.GC takes, and the draws of chance when its caller is woken,
// depend on how far the collector's own goroutines have come in real time.
type collector struct {
	ask, done chan struct{}
	before    int64 // collections of the process when the world began
	asked     int64
}

// newCollector starts the goroutine. It must be called outside the bubble, whose
// goroutines then do not count as durably blocked while they wait for it: simulated
// time stands still.
func newCollector() *collector {
	c := &collector{ask: make(chan struct{}), done: make(chan struct{}), before: collections()}
	ready := make(chan struct{})
	go func() {
		close(ready)
		for range c.ask {
			runtime.GC()
			c.done <- struct{}{}
		}
	}()
	<-ready
	return c
}

// collect is called by a goroutine of the world while all others are blocked.
func (c *collector) collect() {
	c.asked++
	c.ask <- struct{}{}
	<-c.done
}

// stop ends the goroutine.
func (c *collector) stop() { close(c.ask) }
