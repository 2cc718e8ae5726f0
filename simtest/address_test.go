package simtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// thing is what maps have the addresses of.
type thing struct{ number int }

// pair is a key with an address among other parts.
type pair struct {
	name string
	at   *thing
}

// TestAddressesDecideNothing: who waits for contexts of one parent wakes in the same order in every
// run, maps of addresses are walked in the same order, also when they have more than the eight
// keys that a map keeps in order anyway, and timers of one instant fire in the same order.
func TestAddressesDecideNothing(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, seedFromEnv(t, 1), func(w *World) {
		say := func(what string, n int) { w.Trace.Event(trace.Client, what, "%d", n) }
		waitForContexts(say)
		walkMaps(say)
		waitForTimers(say)
	})
}

func waitForContexts(say func(what string, n int)) {
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
			say("child", i)
		}()
	}
	time.Sleep(time.Second)
	cancel()
	time.Sleep(time.Second)
}

// walkMaps fills a map of each kind of key that has an address in it, takes some away, and walks it.
func walkMaps(say func(what string, n int)) {
	pointers, chans, pairs := map[*thing]int{}, map[chan int]int{}, map[pair]int{}
	anything, arrays, values := map[any]int{}, map[[2]*thing]int{}, sync.Map{}
	for i := range 500 {
		x, c := &thing{i}, make(chan int)
		pointers[x], chans[c], pairs[pair{"a name", x}], arrays[[2]*thing{nil, x}] = i, i, i, i
		anything[x], anything[c], anything[pair{"", x}], anything[i] = i, i, i, i
		values.Store(x, i)
		if i%7 == 3 {
			delete(pointers, x)
			delete(chans, c)
			delete(pairs, pair{"a name", x})
			delete(arrays, [2]*thing{nil, x})
			delete(anything, x)
			values.Delete(x)
		}
	}
	walk(say, "pointer", pointers)
	walk(say, "chan", chans)
	walk(say, "struct", pairs)
	walk(say, "array", arrays)
	walk(say, "interface", anything)
	values.Range(func(_, n any) bool { say("sync.Map", n.(int)); return true })
}

// waitForTimers blocks on two timers that are due at one instant: a draw says which of them is first, and the
// timers draw in the order in which select visits their channels.
func waitForTimers(say func(what string, n int)) {
	for i := range 40 {
		first := time.NewTimer(time.Millisecond)
		litter := make([]chan int, i%5)
		for k := range litter {
			litter[k] = make(chan int)
		}
		second := time.After(time.Millisecond)
		select {
		case <-second:
			say("second timer", i)
		case <-first.C:
			say("first timer", i)
		}
	}
}

func walk[K comparable](say func(what string, n int), what string, m map[K]int) {
	for _, n := range m {
		say(what, n)
	}
}
