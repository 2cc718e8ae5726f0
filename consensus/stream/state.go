package stream

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/internal/invariant"
)

// Stream is one node's command stream as the log left it.
type Stream struct {
	Node        int32
	Incarnation uint64 // rises by one with every open
	Nonce       uint64 // of the open that began this incarnation
	Next        uint64 // the number that the next accepted command must have, ≥ 1
}

// String is the stream in one line.
func (s Stream) String() string {
	return fmt.Sprintf("node=%d incarnation=%d nonce=%d next=%d", s.Node, s.Incarnation, s.Nonce, s.Next)
}

// State is consensus' own replicated state of one shard. The zero value is the state before the first entry.
type State struct {
	term    uint64   // greatest leader term seen
	leader  int32    // the node that began it
	clock   uint64   // replicated time, ms
	streams []Stream // ascending by node
}

// Verdict is what Apply decided about an entry.
type Verdict struct {
	Outcome Outcome
	// Skip commands at the front of the entry were applied before; the rest is accepted (if Outcome is Applied).
	Skip int
	// Stream is the node's stream afterwards; zero for a leader-start.
	Stream Stream
}

// Outcome says what became of an entry.
type Outcome uint8

// The outcomes.
const (
	// Applied: the commands behind Skip are to be applied, except those whose term is stale.
	Applied Outcome = iota + 1
	// Duplicate: all its commands were applied before.
	Duplicate
	// Gap: a predecessor was not applied. Nothing of the entry is accepted; the node sends again from Stream.Next.
	Gap
	// Superseded: the incarnation is not the stream's present one.
	Superseded
	// Opened: a new incarnation began (or the same open came again).
	Opened
	// OpenRefused: the open expected another incarnation.
	OpenRefused
	// Started: a new leader term began.
	Started
	// StartIgnored: the term is not newer than the greatest seen.
	StartIgnored
)

var outcomeNames = [...]string{"", "applied", "duplicate", "gap", "superseded", "opened", "open-refused", "started", "start-ignored"}

// String names the outcome.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) && o > 0 {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// Term is the greatest leader term seen.
func (s *State) Term() uint64 { return s.term }

// Leader is the node that began Term.
func (s *State) Leader() int32 { return s.leader }

// Clock is replicated time in milliseconds.
func (s *State) Clock() uint64 { return s.clock }

// Stale says whether a command of an accepted entry must be refused because another term leads now.
func (s *State) Stale(c *Command) bool { return c.Term != 0 && c.Term != s.term }

// Stream returns a node's stream, or one that was never opened.
func (s *State) Stream(node int32) Stream {
	if i, ok := s.find(node); ok {
		return s.streams[i]
	}
	return Stream{Node: node, Next: 1}
}

func (s *State) find(node int32) (int, bool) {
	return slices.BinarySearchFunc(s.streams, node, func(t Stream, n int32) int { return int(t.Node) - int(n) })
}

// Apply takes the log's next entry. Every number that it checks against is state that the log alone made.
func (s *State) Apply(e *Entry) Verdict {
	switch e.Kind {
	case KindOpen:
		return s.open(e)
	case KindLeaderStart:
		return s.start(e)
	case KindCommands:
		return s.commands(e)
	}
	invariant.Unreachable("an entry of kind %d was decoded", e.Kind)
	return Verdict{}
}

// open begins a new incarnation if nobody else did since the opener looked. Without that condition an open that was
// delayed over a restart would silence the stream that the restarted node opened meanwhile.
func (s *State) open(e *Entry) Verdict {
	i, ok := s.find(e.Node)
	if !ok {
		if e.Incarnation != 0 {
			return Verdict{Outcome: OpenRefused, Stream: s.Stream(e.Node)}
		}
		s.streams = slices.Insert(s.streams, i, Stream{Node: e.Node})
	}
	t := &s.streams[i]
	switch {
	case t.Incarnation > 0 && t.Nonce == e.First && t.Incarnation == e.Incarnation+1:
		atOpenAgain.Hit()
		return Verdict{Outcome: Opened, Stream: *t} // the same open again
	case t.Incarnation != e.Incarnation:
		atOpenRefused.Hit()
		return Verdict{Outcome: OpenRefused, Stream: *t}
	}
	*t = Stream{Node: e.Node, Incarnation: t.Incarnation + 1, Nonce: e.First, Next: 1}
	return Verdict{Outcome: Opened, Stream: *t}
}

// start begins a leader term. The new leader's clock starts from what the log says, or from its own estimate of how
// much later it is now, whichever is later.
func (s *State) start(e *Entry) Verdict {
	if e.ClockTerm <= s.term {
		atStartIgnored.Hit()
		return Verdict{Outcome: StartIgnored}
	}
	s.term, s.leader = e.ClockTerm, e.Node
	s.clock = max(s.clock, e.Clock)
	return Verdict{Outcome: Started}
}

func (s *State) commands(e *Entry) Verdict {
	i, ok := s.find(e.Node)
	if !ok {
		return Verdict{Outcome: Superseded, Stream: s.Stream(e.Node)}
	}
	t := &s.streams[i]
	count := uint64(len(e.Commands))
	switch {
	case e.Incarnation != t.Incarnation:
		atSuperseded.Hit()
		return Verdict{Outcome: Superseded, Stream: *t}
	case e.First > t.Next:
		atGap.Hit()
		return Verdict{Outcome: Gap, Stream: *t}
	case e.First+count <= t.Next:
		atDuplicate.Hit()
		return Verdict{Outcome: Duplicate, Skip: len(e.Commands), Stream: *t}
	}
	skip := int(t.Next - e.First)
	t.Next = e.First + count
	// Only the node that began the present term moves the clock, by its monotonic clock; a follower's idea of the time,
	// or a deposed leader's, does not.
	if s.TellsTime(&e.Header) {
		s.clock = max(s.clock, e.Clock)
	}
	return Verdict{Outcome: Applied, Skip: skip, Stream: *t}
}

// TellsTime says whether an entry of commands brings the clock of who leads the present term.
func (s *State) TellsTime(h *Header) bool {
	return h.ClockTerm == s.term && h.Node == s.leader && h.ClockTerm != 0
}

// String is the state in one line.
func (s *State) String() string {
	return fmt.Sprintf("term=%d leader=%d clock=%d streams=%d", s.term, s.leader, s.clock, len(s.streams))
}

// Describe lists the streams too.
func (s *State) Describe() string {
	var b strings.Builder
	b.WriteString(s.String())
	b.WriteByte('\n')
	for _, t := range s.streams {
		fmt.Fprintf(&b, "  %v\n", t)
	}
	return b.String()
}
