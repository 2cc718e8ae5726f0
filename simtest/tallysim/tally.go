package tallysim

import (
	"fmt"
	"strings"
	"time"

	"github.com/tallymq/tallymq/simtest/result"
)

// What a world counts for its result.
const (
	startsCount   = "starts"
	commitsCount  = "store transactions"
	producedCount = "produced"
)

// A tally sums up worlds that held.
type tally struct {
	worlds          int
	simulated, real time.Duration
	faults          int
	operations      map[string]int
}

// add counts one world.
func (s *tally) add(r *result.Result) {
	s.worlds++
	s.simulated += r.Simulated()
	s.real += r.Real()
	if s.operations == nil {
		s.operations = map[string]int{}
	}
	for name, n := range r.Operations {
		s.operations[name] += n
	}
	for verb, n := range r.Faults {
		if !strings.Contains(verb, " ") { // "net loss" and the like are single messages
			s.faults += n
		}
	}
}

// String is one line.
func (s *tally) String() string {
	if s.worlds == 0 {
		return "no seed"
	}
	return fmt.Sprintf("%d seeds, simulated %v in %v, %d faults, %d records produced, %d starts of your processes, %d transactions of stores",
		s.worlds, s.simulated.Round(time.Second), s.real.Round(100*time.Millisecond), s.faults,
		s.operations[producedCount], s.operations[startsCount], s.operations[commitsCount])
}
