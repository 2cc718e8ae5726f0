package simtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/tallymq/tallymq/simtest/disk"
	"github.com/tallymq/tallymq/simtest/internal/hook"
	"github.com/tallymq/tallymq/simtest/network"
	"github.com/tallymq/tallymq/simtest/trace"
)

// ErrKilled is returned by what waited for a process that was killed meanwhile.
var ErrKilled = errors.New("simtest: the process was killed")

// A Process is a node or a client: goroutines with a number of their own, a host
// in the network and a disk. It can be started many times, each time under a new
// number.
type Process struct {
	Host *network.Host
	Disk *disk.Disk

	w      *World
	name   string
	number uint32        // of this incarnation, 0 when there is none
	dead   chan struct{} // closed when this incarnation ends
	paused bool
	skew   time.Duration
}

// Name returns the name given to World.Process.
func (p *Process) Name() string { return p.name }

// String is one line.
func (p *Process) String() string {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	switch {
	case p.number == 0:
		return p.name + " down"
	case p.paused:
		return p.name + " paused"
	}
	return p.name + " up"
}

// Running says whether an incarnation exists, paused or not.
func (p *Process) Running() bool { p.w.mu.Lock(); defer p.w.mu.Unlock(); return p.number != 0 }

// Start begins a new incarnation: main is its first goroutine. Start returns at
// once; the channel gives main's result, or ErrKilled. What main started lives on
// after main returned, until the process is killed.
func (p *Process) Start(main func() error) <-chan error {
	w := p.w
	w.mu.Lock()
	if p.number != 0 {
		w.mu.Unlock()
		panic("simtest: " + p.name + " runs already")
	}
	w.numbers++
	if w.numbers >= hook.NodesMax {
		panic("simtest: too many incarnations")
	}
	number := w.numbers
	p.number, p.dead, p.paused = number, make(chan struct{}), false
	w.byNumber[number] = p
	dead := p.dead
	hook.SetSkew(number, int64(p.skew))
	w.mu.Unlock()
	p.Host.Up(number)
	w.Trace.Event(trace.World, p.name, "started as %d", number)
	result, out := make(chan error, 1), make(chan error, 1)
	hook.As(number, func() { go func() { result <- main() }() })
	go func() {
		select {
		case err := <-result:
			out <- err
		case <-dead:
			out <- ErrKilled
		}
	}()
	return out
}

// Do runs f as a goroutine of the running incarnation and waits for it.
func (p *Process) Do(f func() error) error {
	p.w.mu.Lock()
	number, dead := p.number, p.dead
	p.w.mu.Unlock()
	if number == 0 {
		return ErrKilled
	}
	result := make(chan error, 1)
	hook.As(number, func() { go func() { result <- f() }() })
	select {
	case err := <-result:
		return err
	case <-dead:
		return ErrKilled
	}
}

// Kill is kill -9: no goroutine of the process runs again. What it wrote is in the
// machine's memory and stays; its peers see resets.
func (p *Process) Kill() { p.end(p.current(), false) }

// PowerLoss ends the process and its machine: what was not synced is lost as a
// disk may lose it; peers hear nothing.
func (p *Process) PowerLoss() { p.end(p.current(), true) }

func (p *Process) current() uint32 { p.w.mu.Lock(); defer p.w.mu.Unlock(); return p.number }

// end kills one incarnation, if it is still the current one.
func (p *Process) end(number uint32, power bool) {
	w := p.w
	w.mu.Lock()
	if number == 0 || p.number != number {
		w.mu.Unlock()
		return
	}
	p.number, p.paused = 0, false
	close(p.dead)
	w.mu.Unlock()
	n := hook.SetState(number, hook.Killed)
	w.Trace.Event(trace.Fault, p.name, "killed with %d goroutines, power lost: %v", n, power)
	p.Host.Down(power)
	if power {
		p.Disk.PowerLoss()
	}
}

// Pause stops all goroutines of the process until Resume, as a long collection or a
// migration of its machine does. The world's time goes on.
func (p *Process) Pause() {
	p.w.mu.Lock()
	number, already := p.number, p.paused
	p.paused = number != 0
	p.w.mu.Unlock()
	if number == 0 || already {
		return
	}
	hook.SetState(number, hook.Paused)
	p.w.Trace.Event(trace.Fault, p.name, "paused")
}

// Resume ends a pause.
func (p *Process) Resume() {
	p.w.mu.Lock()
	number, was := p.number, p.paused
	p.paused = false
	p.w.mu.Unlock()
	if number == 0 || !was {
		return
	}
	n := hook.SetState(number, hook.Running)
	p.w.Trace.Event(trace.Fault, p.name, "resumed, %d goroutines had work", n)
}

// Skew sets by how much the wall clock of the process is ahead of the world's. Its
// monotonic clock does not notice.
func (p *Process) Skew(ahead time.Duration) {
	p.w.mu.Lock()
	p.skew = ahead
	number := p.number
	p.w.mu.Unlock()
	if number != 0 {
		hook.SetSkew(number, int64(ahead))
	}
	p.w.Trace.Event(trace.Fault, p.name, "wall clock ahead by %v", ahead)
}

func (p *Process) skewed() bool { p.w.mu.Lock(); defer p.w.mu.Unlock(); return p.skew != 0 }

// Await waits for the result of Start and fails the test on an error other than
// ErrKilled.
func (p *Process) Await(result <-chan error) error {
	err := <-result
	if err != nil && !errors.Is(err, ErrKilled) {
		p.w.Anomaly("process-failed", p.name, "%v", fmt.Errorf("process %s: %w", p.name, err))
	}
	return err
}
