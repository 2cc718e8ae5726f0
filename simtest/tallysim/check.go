package tallysim

import "time"

// check is an assertion that holds at every moment.
type check struct {
	name   string
	holds  func() error
	broken bool
}

// Check says what must hold at every moment, "no payment is posted twice": holds is
// called every 50 simulated milliseconds, and once more at the end of the body. Its
// first error fails the world.
func (c *Cluster) Check(name string, holds func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checks = append(c.checks, check{name: name, holds: holds})
}

// Eventually waits for the end of the faults and then for what must come to hold
// within a (simulated) time, "every payment is posted": holds is called every 50
// milliseconds. What it said last is the failure.
func (c *Cluster) Eventually(name string, within time.Duration, holds func() error) {
	c.Quiet()
	begin := time.Now()
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Since(begin) >= within {
			c.anomaly(name, "not within %v after the faults ended: %v", within, err)
			return
		}
		time.Sleep(checkEvery)
	}
}

// watch looks at the checks for as long as the world lasts.
func (c *Cluster) watch() {
	for {
		time.Sleep(checkEvery)
		c.mu.Lock()
		n := len(c.checks)
		c.mu.Unlock()
		for i := range n {
			c.look(i)
		}
	}
}

// look calls one check, unless it failed before.
func (c *Cluster) look(i int) {
	c.mu.Lock()
	k := c.checks[i]
	c.mu.Unlock()
	if k.broken {
		return
	}
	if err := k.holds(); err != nil {
		c.mu.Lock()
		again := c.checks[i].broken
		c.checks[i].broken = true
		c.mu.Unlock()
		if !again {
			c.anomaly(k.name, "%v", err)
		}
	}
}
