package simtest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tallymq/tallymq/simtest/disk"
	"github.com/tallymq/tallymq/simtest/internal/hook"
	"github.com/tallymq/tallymq/simtest/network"
	"github.com/tallymq/tallymq/simtest/result"
	"github.com/tallymq/tallymq/simtest/trace"
)

// A World is what Run hands to its body. Its methods may be called by any
// goroutine of the world that belongs to no process.
type World struct {
	T     *testing.T
	Seed  uint64
	Trace *trace.Log
	Net   *network.Network

	// PanicAllowed decides whether the panic of a process is a crash like any other
	// (true) or a failure of the test. nil allows none.
	PanicAllowed func(p *Process, value any, stack []byte) bool

	// Report is what is said of a failed world when it has ended; nil says how to run it
	// again and its last events.
	Report func() string

	name string // of the test

	mu         sync.Mutex
	processes  map[string]*Process
	order      []*Process
	byNumber   map[uint32]*Process
	numbers    uint32
	actors     *actors
	violations []result.Violation
	faults     map[string]int
	operations map[string]int
	given      *Plan // the plan from outside, if any
	plan       Plan
	settings   []Setting // in the order in which they were asked for

	garbage   *collector
	waitMu    sync.Mutex
	stopped   chan struct{}
	watchDone chan struct{}
	lasted    time.Duration
	ended     chan struct{} // the body has
	endOnce   sync.Once
}

// Rand returns the stream of random numbers for a purpose. Each purpose has its
// own, so that a draw more in one place does not change all others.
func (w *World) Rand(purpose string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(w.Seed, h.Sum64()))
}

// Now returns the simulated time since the world began.
func (w *World) Now() time.Duration { return w.Trace.Now() }

// Result records what a client saw.
func (w *World) Result(client, format string, args ...any) {
	w.Trace.Event(trace.Client, client, format, args...)
}

// Violation records that something promised did not hold; the test fails.
func (w *World) Violation(format string, args ...any) {
	w.Anomaly("violation", "", format, args...)
}

// Anomaly is a Violation of a kind, at a place. The kind is what a shrinker keeps
// while it makes a world smaller: one kind for one promise, without numbers in it.
func (w *World) Anomaly(kind, where, format string, args ...any) {
	v := result.Violation{Anomaly: kind, Where: where, Text: fmt.Sprintf(format, args...), AtNS: int64(w.Now())}
	line, _, _ := strings.Cut(v.String(), "\n") // the trace has no stacks: they hold addresses
	w.Trace.Event(trace.World, "checker", "VIOLATION: %s", line)
	w.mu.Lock()
	if len(w.violations) < violationsMax {
		w.violations = append(w.violations, v)
	}
	w.mu.Unlock()
	if w.lasted == 0 { // afterwards the test may be over
		w.T.Errorf("seed %d at %v: %v", w.Seed, w.Now(), v)
	}
}

// Violations returns what did not hold so far.
func (w *World) Violations() []result.Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations)
}

// Process returns the process of that name, made when it is new. It is not
// started. Its host in the network has the same name.
func (w *World) Process(name string) *Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.processes[name]; p != nil {
		return p
	}
	p := &Process{w: w, name: name, Host: w.Net.Host(name), Disk: disk.New(name, w.Trace, w.Rand("disk "+name))}
	w.processes[name] = p
	w.order = append(w.order, p)
	return p
}

// Processes returns all processes in the order in which they were made.
func (w *World) Processes() []*Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.order)
}

// Settle waits until nothing can happen before simulated time passes.
func (w *World) Settle() {
	w.waitMu.Lock()
	defer w.waitMu.Unlock()
	synctest.Wait()
}

// watch collects garbage, and ends a world that runs for ever.
func (w *World) watch() {
	defer close(w.watchDone)
	collected := uint64(0)
	for {
		select {
		case <-w.stopped:
			return
		case <-time.After(watchEvery):
		}
		if steps, _ := hook.Steps(); steps-collected >= collectSteps {
			collected = steps
			w.Settle()
			w.garbage.collect()
		}
		if w.Now() > simulatedMax {
			panic(fmt.Sprintf("seed %d: the world did not end within %v\n%s", w.Seed, simulatedMax, w.report()))
		}
	}
}

// bodyNumber is the node number of the body and of what it starts outside any
// process. Having one, all of it can be stopped when the body returns: a client
// library that forgets a goroutine does not keep the world from ending.
const bodyNumber = 1

// run runs the body to its end, which may also be a Goexit (t.Fatal) or a panic.
func (w *World) run(body func(w *World)) {
	w.ended = make(chan struct{})
	hook.As(bodyNumber, func() {
		go func() {
			defer w.end()
			body(w)
		}()
	})
	<-w.ended
}

func (w *World) end() { w.endOnce.Do(func() { close(w.ended) }) }

// panicked is called by a goroutine of a process that panics. It ends the process.
func (w *World) panicked(number uint32, value any) {
	w.mu.Lock()
	p := w.byNumber[number]
	w.mu.Unlock()
	stack := debug.Stack()
	if p == nil {
		w.Anomaly("panic", "the body", "the body panicked: %v\n%s", value, stack)
		w.end()
		select {}
	}
	hook.As(0, func() {
		go func() {
			text := fmt.Sprint(value)
			if len(text) > 200 {
				text = text[:200]
			}
			w.Trace.Event(trace.Fault, p.name, "panic: %s", strings.ReplaceAll(text, "\n", " "))
			if w.PanicAllowed == nil || !w.PanicAllowed(p, value, stack) {
				w.Anomaly("panic", p.name, "process %s panicked: %v\n%s", p.name, value, stack)
			}
			p.end(number, false)
		}()
	})
	select {} // and never again: the process is killed
}

// close ends the world.
func (w *World) close() {
	w.lasted = w.Now()
	for _, p := range w.Processes() {
		p.Kill()
	}
	hook.SetState(bodyNumber, hook.Killed)
	close(w.stopped)
	<-w.watchDone
	steps, hash := hook.Steps()
	w.Trace.Event(trace.World, "end", "%d turns, schedule %016x", steps, hash)
	if err := w.Trace.Flush(); err != nil {
		w.T.Error(err)
	}
}

// report is what a person needs to see of a failed world.
func (w *World) report() string {
	if w.Report != nil {
		return w.Report()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "replay: TALLYMQ_SIM_SEED=%d with the same binary; the last events:\n", w.Seed)
	tail := w.Trace.Tail()
	for _, e := range tail[max(0, len(tail)-40):] {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}
