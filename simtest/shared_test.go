package simtest

import (
	"testing"
	"time"
)

// TestSharedLockIsEachNodesOwn: a node that was killed with it does not keep it from the others, nor from itself.
func TestSharedLockIsEachNodesOwn(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 1, func(w *World) {
		taken := 0
		take := func(p *Process) {
			p.Start(func() error {
				finalizeLock.Lock()
				taken++
				time.Sleep(time.Hour)
				finalizeLock.Unlock()
				return nil
			})
			time.Sleep(time.Second)
		}
		a := w.Process("a")
		take(a)
		a.Kill()
		take(w.Process("b"))
		take(a)
		if taken != 3 {
			t.Errorf("the lock was taken %d times, not 3", taken)
		}
	})
}
