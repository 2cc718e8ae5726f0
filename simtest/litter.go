package simtest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// litterEnv makes a run unlike another one of its seed in what must not count: where objects lie, which pools are filled,
// what goroutines outside the world do in real time.
const litterEnv = "TALLYMQ_SIM_LITTER"

const (
	litterPieces   = 5_000 // left on the heap before the world begins, at most
	litterPieceMax = 2_000 // bytes
	litterHandful  = 50    // pieces added at a time while the world runs, at most
)

// litter drops objects of all sizes before the world, and goes on from outside of it until the test ends.
func litter(t *testing.T) {
	n, err := strconv.ParseUint(os.Getenv(litterEnv), 10, 64)
	if err != nil || n == 0 {
		return
	}
	rng := rand.New(rand.NewPCG(n, n))
	var pieces []any
	drop := func(max int) {
		for range rng.IntN(max) {
			// The heap keeps what has pointers apart from what has none.
			if size := 8 + rng.IntN(litterPieceMax); rng.IntN(2) == 0 {
				pieces = append(pieces, make([]byte, size))
			} else {
				pieces = append(pieces, make([]*byte, size/8))
			}
		}
		if len(pieces) > 2*litterPieces {
			pieces = nil
		}
	}
	drop(litterPieces)
	stop, stopped := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-stopped })
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rng.IntN(3)) * time.Millisecond):
				drop(litterHandful)
			}
		}
	}()
}
