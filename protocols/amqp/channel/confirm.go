package channel

import (
	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// result is what is known of a publish, and whether the client was told.
type result uint8

const (
	awaited result = iota
	accepted
	refused
	toldAccepted
	toldRefused
)

// confirms are the publishes of a channel from the first whose result is not known.
type confirms struct {
	before  uint64   // sequence numbers up to this one are done with
	results []result // of before+1 and so on
	fresh   []uint64 // resolved since the client was last told
}

func (c *confirms) awaited() int {
	n := 0
	for _, r := range c.results {
		if r == awaited {
			n++
		}
	}
	return n
}

// Published numbers a publish, from 1: its confirm has this delivery tag. Outside of confirm mode it is 0.
func (c *Channel) Published() uint64 {
	if c.mode != Confirming {
		return 0
	}
	c.confirms.results = append(c.confirms.results, awaited)
	return c.confirms.before + uint64(len(c.confirms.results))
}

// Resolve says what became of a publish: every queue has it, or one of them refused.
func (c *Channel) Resolve(sequence uint64, stored bool) {
	f := &c.confirms
	at := sequence - f.before - 1
	invariant.Check(sequence > f.before && at < uint64(len(f.results)), "BUG: publish %d resolved, %d to %d are awaited", sequence, f.before+1, f.before+uint64(len(f.results)))
	invariant.Check(f.results[at] == awaited, "BUG: publish %d resolved twice", sequence)
	f.results[at] = refused
	if stored {
		f.results[at] = accepted
	}
	f.fresh = append(f.fresh, sequence)
}

// Confirms tells the client what was resolved, with as few methods as promise 2 allows.
func (c *Channel) Confirms(send func(wire.Method)) {
	f := &c.confirms
	n := f.tellPrefix(send)
	f.results, f.before = f.results[n:], f.before+uint64(n)
	for _, sequence := range f.fresh {
		if sequence > f.before {
			f.tellEarly(sequence, send)
		}
	}
	f.fresh = f.fresh[:0]
}

// tellPrefix tells of the publishes before the first that is awaited, and returns how many they are.
func (f *confirms) tellPrefix(send func(wire.Method)) int {
	run, last := 0, uint64(0) // accepted publishes in a row that the client is not told of, and the last of them
	flush := func(covers uint64) {
		if run > 0 {
			send(&wire.BasicAck{DeliveryTag: last, Multiple: covers > 1})
		}
		run = 0
	}
	first, n := uint64(0), 0
	for n < len(f.results) && f.results[n] != awaited {
		sequence := f.before + uint64(n) + 1
		switch f.results[n] {
		case accepted:
			if run == 0 {
				first = sequence
			}
			run, last = run+1, sequence
		case refused:
			flush(last - first + 1)
			send(&wire.BasicNack{DeliveryTag: sequence})
		case toldRefused:
			flush(last - first + 1)
		}
		n++
	}
	flush(last - first + 1)
	return n
}

// tellEarly tells of one publish that others before it are awaited of.
func (f *confirms) tellEarly(sequence uint64, send func(wire.Method)) {
	switch r := &f.results[sequence-f.before-1]; *r {
	case accepted:
		send(&wire.BasicAck{DeliveryTag: sequence})
		*r = toldAccepted
	case refused:
		send(&wire.BasicNack{DeliveryTag: sequence})
		*r = toldRefused
	}
}
