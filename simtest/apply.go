package simtest

import (
	"slices"
	"sync"
	"time"

	"github.com/tallymq/tallymq/simtest/disk"
	"github.com/tallymq/tallymq/simtest/network"
)

// reviveAfter is how long a node that died of itself stays down.
const reviveAfter = time.Second

// A Supervisor starts the nodes of a world and starts them again when they died,
// as an operator or an init system would.
type Supervisor struct {
	w    *World
	boot func(p *Process) error // main of a node

	mu     sync.Mutex
	held   map[string]int // faults that want the node down
	mains  map[string]func(p *Process) error
	done   map[string]bool // of those in mains
	nodes  []*Process      // those that run boot
	closed bool
}

// NewSupervisor returns a supervisor whose nodes all run boot.
func NewSupervisor(w *World, boot func(p *Process) error) *Supervisor {
	return &Supervisor{w: w, boot: boot, held: map[string]int{}, mains: map[string]func(p *Process) error{}, done: map[string]bool{}}
}

// Keep is Start for a process with a main of its own. When main returns nil the
// process has done its work, ends and stays down; an error is an exit that is
// followed by another start, as a crash is.
func (s *Supervisor) Keep(p *Process, main func(p *Process) error) {
	s.mu.Lock()
	s.mains[p.Name()] = main
	s.mu.Unlock()
	s.Start(p)
}

// Retire lets a process of Keep stay down once it ends.
func (s *Supervisor) Retire(p *Process) { s.mu.Lock(); s.done[p.Name()] = true; s.mu.Unlock() }

// Start starts a node and keeps it running: when it dies without a fault of the
// plan that wants it down, or main returns an error, it is started again.
func (s *Supervisor) Start(p *Process) {
	s.mu.Lock()
	if s.closed || s.held[p.Name()] > 0 || s.done[p.Name()] || p.Running() {
		s.mu.Unlock()
		return
	}
	main, kept := s.mains[p.Name()]
	if !kept {
		main = s.boot
		if !slices.Contains(s.nodes, p) {
			s.nodes = append(s.nodes, p)
		}
	}
	result := p.Start(func() error { return main(p) })
	number, dead := p.incarnation()
	s.mu.Unlock()
	go func() {
		err := <-result
		switch {
		case kept && err == nil:
			s.Retire(p)
			p.end(number, false)
			return
		case err != nil && err != ErrKilled:
			s.w.Trace.Event("world", p.Name(), "start failed: %v", err)
			p.end(number, false)
		}
		<-dead
		time.Sleep(reviveAfter)
		s.Start(p)
	}()
}

// Close lets nodes that die stay down.
func (s *Supervisor) Close() { s.mu.Lock(); s.closed = true; s.mu.Unlock() }

// hold keeps a node down until release.
func (s *Supervisor) hold(p *Process)    { s.mu.Lock(); s.held[p.Name()]++; s.mu.Unlock() }
func (s *Supervisor) release(p *Process) { s.mu.Lock(); s.held[p.Name()]--; s.mu.Unlock(); s.Start(p) }

// incarnation returns the number and the end of the current incarnation.
func (p *Process) incarnation() (uint32, <-chan struct{}) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.number, p.dead
}

// Apply lets the plan happen. It returns when the plan's quiet has come: every
// fault is over, every link healed, every node started.
func (s *Supervisor) Apply(plan Plan) {
	start := time.Now()
	var wg sync.WaitGroup
	for _, f := range plan.Faults {
		time.Sleep(time.Until(start.Add(f.At)))
		wg.Go(func() { s.inject(f) })
	}
	wg.Wait()
	time.Sleep(time.Until(start.Add(plan.Quiet)))
	s.quiet()
}

// quiet ends whatever is still wrong.
func (s *Supervisor) quiet() {
	s.w.Buggify(false)
	s.w.Net.SetBase(network.LAN)
	s.w.Net.HealAll()
	for _, p := range s.w.Processes() {
		p.Host.RefuseDials(false, false)
		if p.Disk.Faults() != (disk.Faults{}) {
			p.Disk.SetFaults(disk.Faults{})
		}
		if p.skewed() {
			p.Skew(0)
		}
		p.Resume()
	}
	s.w.Trace.Event("world", "plan", "quiet")
}

// inject lets one fault happen, waits for its length, and ends it.
func (s *Supervisor) inject(f Fault) {
	w := s.w
	w.Trace.Event("fault", "plan", "%v", f)
	w.countFault(f.Verb)
	if f.all() {
		s.injectAll(f)
		return
	}
	p := w.Process(f.A)
	switch f.Verb {
	case Kill, Power, Away, KillClient:
		s.down(p, f.Verb == Power, f.For)
	case Swap:
		s.swap(p, w.Process(f.B), f.For)
	case Wipe:
		s.hold(p)
		p.PowerLoss()
		p.Disk.Wipe()
		time.Sleep(f.For)
		s.release(p)
	case Pause:
		p.Pause()
		time.Sleep(f.For)
		p.Resume()
	case Skew:
		p.Skew(time.Duration(f.Amount * float64(time.Second)))
		time.Sleep(f.For)
		p.Skew(0)
	case Refuse, Hang:
		p.Host.RefuseDials(f.Verb == Refuse, f.Verb == Hang)
		time.Sleep(f.For)
		p.Host.RefuseDials(false, false)
	case Isolate, Cut, Flap, Clog, Slow, Late, Lossy, Reset:
		s.injectNet(f)
	case Rot:
		p.Disk.Rot(1+int(f.Amount*8), f.B)
	default:
		s.injectDisk(p, f)
	}
}

// down ends a process and starts it again.
func (s *Supervisor) down(p *Process, power bool, length time.Duration) {
	s.hold(p)
	p.end(p.current(), power)
	time.Sleep(length)
	s.release(p)
}

// swap lets two nodes run with each other's disks for some time, as when drives were put
// back wrongly.
func (s *Supervisor) swap(a, b *Process, length time.Duration) {
	exchange := func() {
		for _, p := range []*Process{a, b} {
			s.hold(p)
			p.PowerLoss()
		}
		disk.Swap(a.Disk, b.Disk)
		for _, p := range []*Process{a, b} {
			s.release(p)
		}
	}
	exchange()
	time.Sleep(length)
	exchange()
}

// injectAll hits all nodes, at once or one after the other.
func (s *Supervisor) injectAll(f Fault) {
	s.mu.Lock()
	nodes := slices.Clone(s.nodes)
	s.mu.Unlock()
	if f.Verb == Rolling {
		for _, p := range nodes {
			s.down(p, false, f.For/time.Duration(2*len(nodes)))
			time.Sleep(f.For / time.Duration(2*len(nodes)))
		}
		return
	}
	for _, p := range nodes { // nothing runs in between
		s.hold(p)
		p.end(p.current(), f.Verb == PowerAll)
	}
	time.Sleep(f.For)
	for _, p := range nodes {
		s.release(p)
	}
}

func (s *Supervisor) injectNet(f Fault) {
	n := s.w.Net
	switch f.Verb {
	case Isolate:
		for _, other := range s.w.Processes() {
			if other.Name() != f.A {
				n.Cut(f.A, other.Name())
				n.Cut(other.Name(), f.A)
			}
		}
		time.Sleep(f.For)
		for _, other := range s.w.Processes() {
			if other.Name() != f.A {
				n.Heal(f.A, other.Name())
				n.Heal(other.Name(), f.A)
			}
		}
	case Cut:
		n.Cut(f.A, f.B)
		time.Sleep(f.For)
		n.Heal(f.A, f.B)
	case Flap:
		const times = 8
		for range times {
			n.Cut(f.A, f.B)
			time.Sleep(f.For / (2 * times))
			n.Heal(f.A, f.B)
			time.Sleep(f.For / (2 * times))
		}
	case Clog:
		n.Clog(f.A, f.B, f.For)
		time.Sleep(f.For)
	case Slow:
		n.SetProfile(f.A, f.B, &network.Profile{
			DelayMin: time.Millisecond, DelayMean: time.Duration(f.Amount * float64(time.Second)),
			BytesPerS: 1 << 20, Fragment: 0.5,
		})
		time.Sleep(f.For)
		n.SetProfile(f.A, f.B, nil)
	case Late:
		n.SetProfile(f.A, f.B, &network.Profile{DelayMin: time.Millisecond, DelayMean: time.Duration(f.Amount * float64(time.Second)), Reorder: 1})
		time.Sleep(f.For)
		n.SetProfile(f.A, f.B, nil)
	case Lossy:
		p := network.LAN
		p.DelayMean, p.Fragment = 2*time.Millisecond, 0.5
		p.Loss, p.Duplicate, p.Reorder = 0.1*f.Amount, 0.1*f.Amount, 0.3*f.Amount
		n.SetBase(p)
		time.Sleep(f.For)
		n.SetBase(network.LAN)
	case Reset:
		n.ResetStreams(f.A, f.B, f.Amount)
	}
}

func (s *Supervisor) injectDisk(p *Process, f Fault) {
	var d disk.Faults
	switch f.Verb {
	case SlowDisk:
		d.SyncDelay = time.Duration(f.Amount * float64(time.Second))
	case StuckDisk:
		d.SyncStuck = true
	case FullDisk:
		d.Full = true
	case SyncError:
		d.SyncError = f.Amount
	case ReadError:
		d.ReadError = f.Amount / 10
	case MisWrite:
		d.MisWrite = f.Amount / 100
	case MisRead:
		d.MisRead = f.Amount / 100
	case Lie:
		d.SyncLies = true
	default:
		panic("simtest: no such fault: " + string(f.Verb))
	}
	d.Only = f.B
	p.Disk.SetFaults(d)
	time.Sleep(f.For)
	p.Disk.SetFaults(disk.Faults{})
	if f.Verb == Lie {
		s.hold(p)
		p.PowerLoss()
		time.Sleep(reviveAfter)
		s.release(p)
	}
}
