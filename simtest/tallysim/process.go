package tallysim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/trace"
)

// A Process is one life of a program of the user, from its start to its end or
// death. Its methods are called by that program's goroutines.
type Process struct {
	c     *Cluster
	sim   *simtest.Process
	ctx   context.Context
	disk  *Disk
	start int
}

// entry is a program over all its lives.
type entry struct {
	sim      *simtest.Process
	main     func(p *Process) error
	starts   int
	cancel   context.CancelFunc // of the present life
	returned chan struct{}      // closed when the present life's main did
	last     error              // what main returned last
}

// Go starts a program: main runs as the first goroutine of a process of its own, on a
// machine of its own. When the process dies it is started again, main with it, a
// second later or when the fault that killed it is over. An error returned by main is
// an exit and followed by another start; nil means that the work is done, and ends
// the process. A panic fails the test.
func (c *Cluster) Go(name string, main func(p *Process) error) {
	c.T.Helper()
	for _, p := range c.World.Processes() {
		if p.Name() == name {
			c.T.Fatalf("tallysim: there is a process %q already", name)
		}
	}
	e := &entry{sim: c.World.Process(name), main: main}
	c.mu.Lock()
	c.processes = append(c.processes, e)
	c.mu.Unlock()
	c.nodes.Keep(e.sim, func(*simtest.Process) error { return c.live(e) })
}

// live is one life of a program. It is the first goroutine of the process.
func (c *Cluster) live(e *entry) error {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Process{c: c, sim: e.sim, ctx: ctx, disk: &Disk{fs: e.sim.Disk.Mount().FS()}}
	returned := make(chan struct{})
	c.mu.Lock()
	e.starts++
	p.start = e.starts
	e.cancel, e.returned = cancel, returned
	c.mu.Unlock()
	err := e.main(p)
	c.mu.Lock()
	e.last = err
	c.mu.Unlock()
	close(returned)
	return err
}

// Stop ends a program in good order, as SIGTERM does: its Context is cancelled, and
// when main has not returned half a minute later it is killed. It is not started again.
func (c *Cluster) Stop(name string) {
	e := c.entry(name)
	c.nodes.Retire(e.sim)
	c.mu.Lock()
	cancel, returned := e.cancel, e.returned
	c.mu.Unlock()
	if cancel != nil && e.sim.Running() {
		e.sim.Do(func() error { cancel(); return nil })
		select {
		case <-returned:
		case <-time.After(stopMax):
		}
	}
	e.sim.Kill()
}

// Kill is kill -9 of a broker or a program, now; it is started again a second later.
func (c *Cluster) Kill(name string) { c.find(name).Kill() }

// PowerLoss is a loss of power of a machine: what was not synced to its disk is lost
// as a disk may lose it. The process is started again a second later.
func (c *Cluster) PowerLoss(name string) { c.find(name).PowerLoss() }

// Starts is how often a program was started.
func (c *Cluster) Starts(name string) int {
	e := c.entry(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.starts
}

func (c *Cluster) find(name string) *simtest.Process {
	for _, n := range c.nodes.Names {
		if n == name {
			return c.World.Process(name)
		}
	}
	return c.entry(name).sim
}

func (c *Cluster) entry(name string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.processes {
		if e.sim.Name() == name {
			return e
		}
	}
	panic(fmt.Errorf("%w: %q", errNoProcess, name))
}

// Name is the program's name, and that of its machine in the network.
func (p *Process) Name() string { return p.sim.Name() }

// Start counts the lives of the program: 1 in the first.
func (p *Process) Start() int { return p.start }

// Context is cancelled by Stop. A crash cancels nothing: nothing runs any more.
func (p *Process) Context() context.Context { return p.ctx }

// Disk is the machine's disk: it outlives the process.
func (p *Process) Disk() *Disk { return p.disk }

// Dial opens a connection through the simulated network, with the signature that
// clients ask of a dialer. Every client library that takes one works here.
func (p *Process) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return p.sim.Host.Dial(ctx, network, address)
}

// Listen opens a port of the process's machine, for programs that talk to each other:
// "NAME:PORT" is its address for their Dial.
func (p *Process) Listen(network, address string) (net.Listener, error) {
	return p.sim.Host.Listen(network, address)
}

// Logf writes a line to the world's events, of which a report shows the last. It must
// not hold what differs between two runs of a seed, such as an address of memory.
func (p *Process) Logf(format string, args ...any) {
	p.c.World.Trace.Event(trace.Client, p.Name(), format, args...)
}

// state is one line of a report.
func (e *entry) state() string {
	s := fmt.Sprintf("%s, started %d times", e.sim.Name(), e.starts)
	if e.last != nil && !errors.Is(e.last, context.Canceled) {
		s += fmt.Sprintf(", last exit with: %v", e.last)
	}
	return s
}
