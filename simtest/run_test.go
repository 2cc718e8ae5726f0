package simtest

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// TestKillRunsNothingMore: neither a deferred function nor a timer of a killed
// process runs, and the world can end although its goroutines hang for ever.
func TestKillRunsNothingMore(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 1, func(w *World) {
		p := w.Process("n1")
		var after []string
		var mu sync.Mutex
		mu.Lock()
		result := p.Start(func() error {
			go func() {
				defer func() { after = append(after, "deferred") }()
				mu.Lock() // held by the test for ever
			}()
			time.AfterFunc(10*time.Second, func() { after = append(after, "timer") })
			go func() {
				time.Sleep(10 * time.Second)
				after = append(after, "sleeper")
			}()
			go func() {
				for {
					time.Sleep(time.Millisecond)
				}
			}()
			select {}
		})
		time.Sleep(5 * time.Second)
		p.Kill()
		if err := <-result; !errors.Is(err, ErrKilled) {
			t.Errorf("Start's result after a kill: %v", err)
		}
		time.Sleep(time.Minute)
		if len(after) > 0 {
			t.Errorf("ran after the kill: %v", after)
		}
		p.Start(func() error { return nil })
	})
}

// TestPauseStopsAndResumes: a paused process does nothing while time passes, and
// then goes on where it was.
func TestPauseStopsAndResumes(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 2, func(w *World) {
		p := w.Process("n1")
		ticks := 0
		p.Start(func() error {
			for {
				time.Sleep(time.Second)
				ticks++
			}
		})
		time.Sleep(10*time.Second + time.Millisecond)
		p.Pause()
		if ticks != 10 {
			t.Errorf("before the pause %d ticks", ticks)
		}
		time.Sleep(time.Minute)
		if ticks != 10 {
			t.Errorf("a paused process ticked: %d", ticks)
		}
		p.Resume()
		time.Sleep(5 * time.Second)
		if ticks < 14 || ticks > 16 {
			t.Errorf("after the pause %d ticks", ticks)
		}
		p.Pause()
		p.Kill() // also while it is paused
	})
}

// TestSkewMovesTheWallOnly: each process has a wall clock of its own; elapsed time is the
// world's.
func TestSkewMovesTheWallOnly(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 3, func(w *World) {
		here := time.Now()
		p := w.Process("n1")
		p.Skew(time.Hour)
		w.Process("n2").Start(func() error { return nil })
		err := w.Process("n1").Await(p.Start(func() error {
			start := time.Now()
			if d := start.Round(0).Sub(here.Round(0)); d != time.Hour {
				t.Errorf("wall ahead by %v", d)
			}
			time.Sleep(time.Second)
			p.w.Process("n1").Skew(-time.Hour)
			if d := time.Since(start); d != time.Second {
				t.Errorf("a jump of the wall clock moved elapsed time: %v", d)
			}
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
	})
}

// TestPanicIsTheProcessesCrash: and not the world's.
func TestPanicIsTheProcessesCrash(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 4, func(w *World) {
		var seen any
		w.PanicAllowed = func(p *Process, value any, _ []byte) bool { seen = value; return p.Name() == "n1" }
		p := w.Process("n1")
		result := p.Start(func() error {
			go func() { panic("disk on fire") }()
			select {}
		})
		if err := <-result; !errors.Is(err, ErrKilled) || seen != "disk on fire" {
			t.Errorf("got %v, panic %v", err, seen)
		}
		if p.Running() {
			t.Error("it still runs")
		}
	})
}

// TestSpinningLetsOthersRun: a loop that tries again until another goroutine has done
// its part ends, although nothing takes the processor away from it.
func TestSpinningLetsOthersRun(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 5, func(w *World) {
		var mu sync.Mutex
		ready, tries := false, 0
		go func() {
			mu.Lock()
			defer mu.Unlock()
			ready = true
		}()
		for done := false; !done; tries++ {
			mu.Lock()
			done = ready
			mu.Unlock()
		}
		box := make(chan int, 1)
		go func() { box <- 1 }()
		for got := 0; got == 0; {
			select {
			case got = <-box:
			default:
			}
		}
		w.Trace.Event(trace.World, "test", "%d tries", tries)
	})
}

func TestStreamsOfRandomNumbersAreIndependent(t *testing.T) {
	a, b := &World{Seed: 1}, &World{Seed: 1}
	a.Rand("plan").Uint64()
	if a.Rand("network").Uint64() != b.Rand("network").Uint64() {
		t.Error("a draw for one purpose moved another")
	}
	if a.Rand("plan").Uint64() == a.Rand("network").Uint64() {
		t.Error("two purposes draw the same")
	}
}

var wasted []byte

// TestGarbageIsBounded: also in a loop that does not let simulated time pass, and with it
// the moments at which garbage is collected otherwise.
func TestGarbageIsBounded(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 1, func(w *World) {
		const piece = 1 << 20
		for range 4 * memoryMax / piece {
			wasted = make([]byte, piece)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapSys > 2*memoryMax {
			t.Errorf("the heap has %d bytes", m.HeapSys)
		}
	})
}

// TestPoolsAreEmptyWhenAWorldBegins: what a pool holds decides whether a world makes a new object, and with it, for one
// with a map, how many random numbers it has drawn.
func TestPoolsAreEmptyWhenAWorldBegins(t *testing.T) {
	SkipWithoutOverlay(t)
	var pool sync.Pool
	pool.Put(new(int))
	Run(t, 1, func(*World) {
		if pool.Get() != nil {
			t.Error("the pool still holds what was put in before")
		}
	})
}
