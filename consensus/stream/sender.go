package stream

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/internal/invariant"
)

// Sender is a node's end of one stream: which entries are on their way, which must be sent again, and which outcome is
// known. It decides, the proposer sends.
type Sender struct {
	node        int32
	nonce       uint64 // of the open last sent, 0 if none is
	incarnation uint64 // 0: not open
	next        uint64 // the number of the next command to seal
	round       uint32 // rises whenever entries are sent again
	flight      []flight
}

// flight is a sealed entry whose outcome is not known. Once sealed its boundaries stay, so that every copy is the same.
type flight struct {
	first uint64
	count uint32
	sent  bool
}

// Reaction is what the proposer has to do. Entries are counted from the oldest in flight.
type Reaction struct {
	// Done entries were applied just now.
	Done int
	// Lost entries were skipped by a snapshot install: they may have been applied, nobody here can know.
	Lost int
	// Resend everything in flight, in order.
	Resend bool
	// Reopen: the stream must be opened (again).
	Reopen bool
	// Opened: the stream is open now.
	Opened bool
}

// NewSender returns a sender that is not open.
func NewSender(node int32) Sender { return Sender{node: node, next: 1} }

// Open returns the entry that opens the stream, replacing the incarnation that the local state shows. The nonce is
// random and not 0.
func (s *Sender) Open(nonce uint64, present Stream) Header {
	invariant.Check(nonce != 0, "the nonce of an open is 0")
	s.nonce, s.incarnation = nonce, 0
	return Header{Kind: KindOpen, Node: s.node, Incarnation: present.Incarnation, First: nonce}
}

// IsOpen says whether entries can be sealed and sent.
func (s *Sender) IsOpen() bool { return s.incarnation != 0 }

// InFlight is the number of sealed entries whose outcome is not known.
func (s *Sender) InFlight() int { return len(s.flight) }

// Seal numbers count commands as the next entry.
func (s *Sender) Seal(count int) {
	invariant.Check(count > 0, "an entry of %d commands was sealed", count)
	s.flight = append(s.flight, flight{first: s.next, count: uint32(count)})
	s.next += uint64(count)
}

// Header is the header to send entry i in flight with, now; the entry counts as sent from here on.
func (s *Sender) Header(i int) Header {
	invariant.Check(s.IsOpen(), "an entry is sent on a stream that is not open")
	f := &s.flight[i]
	f.sent = true
	return Header{Kind: KindCommands, Node: s.node, Incarnation: s.incarnation, First: f.first, Round: s.round, Count: f.count}
}

// Again begins a new round: everything in flight is to be sent again. Refusals of older copies are ignored from now on.
func (s *Sender) Again() { s.round++ }

// Observe takes the verdict on an entry of this node, in log order.
func (s *Sender) Observe(h Header, v Verdict) Reaction {
	t := v.Stream
	if h.Kind == KindLeaderStart {
		return Reaction{}
	}
	if !s.IsOpen() {
		return s.observeClosed(h, v)
	}
	if t.Incarnation != s.incarnation {
		invariant.Check(t.Incarnation > s.incarnation, "node %d: the log's incarnation %d is behind the sender's %d", s.node, t.Incarnation, s.incarnation)
		atSenderReplaced.Hit()
		// Somebody else opened this node's stream. Every earlier verdict was seen, so what is in flight was not applied, and
		// nothing of the old incarnation will be: all of it may be sent again under a new one.
		atOpenFailed.Hit()
		s.incarnation, s.nonce = 0, 0
		return Reaction{Reopen: true}
	}
	switch v.Outcome {
	case Applied:
		done := s.pop(t.Next)
		invariant.Check(done == 1, "node %d: %v completed %d entries", s.node, h, done)
		return Reaction{Done: done}
	case Gap:
		if h.Round == s.round && len(s.flight) > 0 {
			atGapSeen.Hit()
			s.Again()
			return Reaction{Resend: true}
		}
	}
	return Reaction{}
}

func (s *Sender) observeClosed(h Header, v Verdict) Reaction {
	if h.Kind != KindOpen || s.nonce == 0 || h.First != s.nonce {
		return Reaction{}
	}
	if v.Outcome == Opened && v.Stream.Nonce == s.nonce {
		return s.opened(v.Stream)
	}
	s.nonce = 0
	return Reaction{Reopen: true}
}

// opened renumbers what is in flight: none of it was applied.
func (s *Sender) opened(t Stream) Reaction {
	s.incarnation = t.Incarnation
	s.next = t.Next
	for i := range s.flight {
		s.flight[i].first = s.next
		s.next += uint64(s.flight[i].count)
	}
	s.Again()
	return Reaction{Opened: true, Resend: len(s.flight) > 0}
}

// Installed takes the stream as an installed snapshot shows it: verdicts in between were not seen.
func (s *Sender) Installed(t Stream) Reaction {
	switch {
	case s.IsOpen() && t.Incarnation == s.incarnation:
		atInstalledOpen.Hit()
		return Reaction{Lost: s.pop(t.Next), Resend: len(s.flight) > 0}
	case s.IsOpen():
		atInstalledOther.Hit()
		lost := s.popSent()
		s.incarnation, s.nonce = 0, 0
		return Reaction{Lost: lost, Reopen: true}
	case s.nonce != 0 && t.Nonce == s.nonce:
		atInstalledOpened.Hit()
		// Entries that an earlier incarnation sent may hide in what was jumped over.
		lost := s.popSent()
		r := s.opened(t)
		r.Lost = lost
		return r
	}
	atInstalledClosed.Hit()
	lost := s.popSent()
	s.nonce = 0
	return Reaction{Lost: lost, Reopen: true}
}

// pop removes the entries that are wholly below next.
func (s *Sender) pop(next uint64) int {
	n := 0
	for n < len(s.flight) && s.flight[n].first+uint64(s.flight[n].count) <= next {
		n++
	}
	invariant.Check(n == len(s.flight) || s.flight[n].first >= next, "node %d: the log stands inside an entry, at %d: %v", s.node, next, s)
	s.flight = slices.Delete(s.flight, 0, n)
	return n
}

// popSent removes every entry that was ever sent: a prefix, since they are sent in order.
func (s *Sender) popSent() int {
	n := 0
	for n < len(s.flight) && s.flight[n].sent {
		n++
	}
	s.flight = slices.Delete(s.flight, 0, n)
	return n
}

// String is the sender in one line.
func (s *Sender) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "node=%d incarnation=%d next=%d round=%d flight=[", s.node, s.incarnation, s.next, s.round)
	for i, f := range s.flight {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d+%d", f.first, f.count)
		if !f.sent {
			b.WriteString(" unsent")
		}
	}
	b.WriteByte(']')
	return b.String()
}
