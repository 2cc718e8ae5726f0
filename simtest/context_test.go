package simtest

import (
	"context"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// TestManyChildren: who waits for contexts of one parent wakes in the same order in every run,
// also when they are more than a map keeps in order.
func TestManyChildren(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, seedFromEnv(t, 1), func(w *World) {
		parent, cancel := context.WithCancel(context.Background())
		for i := range 60 {
			child, stop := context.WithCancel(parent)
			if i%5 == 0 {
				stop() // some leave before the others
				continue
			}
			go func() {
				defer stop()
				<-child.Done()
				w.Trace.Event(trace.Client, "child", "%d", i)
			}()
		}
		time.Sleep(time.Second)
		cancel()
		time.Sleep(time.Second)
	})
}
