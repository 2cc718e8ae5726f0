package queueing

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
)

// De-duplication in the model: each queue's ids with when they came, the oldest first; those that came too long ago, or before too many
// others, do not count.

type modelID struct {
	id      string
	print   uint64
	at      uint64
	pending txn.ProducerID // a transaction that is not decided has it; 0: none
}

func (w *world) someID() (id string, print uint64) {
	n := rapid.IntRange(-2, 4).Draw(w.t, "id")
	if n < 0 {
		return "", 0
	}
	print = uint64(n)
	if rapid.IntRange(0, 9).Draw(w.t, "another body") == 0 {
		print += 100
	}
	return fmt.Sprint("m", n), print
}

// again is now and then a message that some queue has seen.
func (w *world) again() (x command.QueueMessage, found bool) {
	if rapid.IntRange(0, 2).Draw(w.t, "again") > 0 {
		return x, false
	}
	for q := range broker.QueueID(queueMax + 1) {
		for _, m := range w.ids[q] {
			if w.m.lines[q] != nil && m.pending == 0 && (!found || rapid.Bool().Draw(w.t, "that one")) {
				x = command.QueueMessage{Targets: []command.QueueTarget{{Queue: uint64(q)}}, Size: 1, ExpirationMs: -1, MessageID: m.id, Fingerprint: m.print, CRC: uint32(w.index), Length: 2}
				found = true
			}
		}
	}
	return x, found
}

// known is what the model says of an id, as of the machine's clock.
func (w *world) known(q broker.QueueID, id string, print uint64) sight {
	l := w.m.lines[q]
	if l == nil || l.config.DeduplicationMs == 0 || id == "" {
		return unseen
	}
	for _, x := range w.ids[q] {
		switch {
		case x.id != id:
		case x.pending != 0:
			return undecided
		case x.at+l.config.DeduplicationMs < w.m.clock:
		case x.print != print:
			return otherBody
		default:
			return duplicate
		}
	}
	return unseen
}

// remember notes an id that came, and forgets the oldest ones if they are too many: but not those behind one that is pending.
func (w *world) remember(q broker.QueueID, id string, print uint64, pending txn.ProducerID) {
	l := w.m.lines[q]
	if l == nil || l.config.DeduplicationMs == 0 || id == "" {
		return
	}
	w.forget(q)
	w.ids[q] = append(slices.DeleteFunc(w.ids[q], func(x modelID) bool { return x.id == id }), modelID{id, print, w.m.clock, pending})
}

func (w *world) forget(q broker.QueueID) {
	l, ids := w.m.lines[q], w.ids[q]
	if l == nil || l.config.DeduplicationMs == 0 {
		return
	}
	for len(ids) > 0 && ids[0].pending == 0 && (len(ids) > int(l.config.DeduplicationCount) || ids[0].at+l.config.DeduplicationMs < w.m.clock) {
		ids = ids[1:]
	}
	w.ids[q] = ids
}

// once judges what a transaction's command said of duplicates, and notes the ids that are new; by: as pending. add: its messages are added.
func (w *world) once(ms []command.QueueMessage, r *command.QueueTransactResult, by txn.ProducerID) (add bool) {
	did, not, never := 0, 0, false
	mine := map[string]bool{}
	for _, x := range ms {
		for _, t := range x.Targets {
			q := broker.QueueID(t.Queue)
			l := w.m.lines[q]
			if l == nil {
				continue
			}
			at := fmt.Sprint(q, x.MessageID)
			again := mine[at] && l.seen != nil && x.MessageID != ""
			mine[at] = true
			switch s := w.known(q, x.MessageID, x.Fingerprint); {
			case s == otherBody || s == undecided || again:
				never = true
			case s == duplicate:
				did++
			default:
				not++
			}
		}
	}
	if r.Code != broker.CodeNone {
		if did > 0 && not > 0 && !never {
			w.seen["mixed"]++
		}
		if never {
			w.seen["another body"]++
		}
		return false
	}
	switch {
	case never || did > 0 && not > 0:
		w.t.Fatalf("%d messages came before, %d did not, never %v: it was accepted, %+v", did, not, never, r)
	case (did > 0) != (r.Duplicates == allDuplicates):
		w.t.Fatalf("%d messages came before: %+v", did, r)
	case did > 0:
		w.seen["transacted again"]++
		return false
	}
	for _, x := range ms {
		for _, t := range x.Targets {
			w.remember(broker.QueueID(t.Queue), x.MessageID, x.Fingerprint, by)
		}
	}
	return true
}

// sighted says what became of a transaction's ids.
func (w *world) sighted(by txn.ProducerID, commit bool) {
	for q := range w.ids {
		w.ids[q] = slices.DeleteFunc(w.ids[q], func(x modelID) bool { return x.pending == by && !commit })
		for i := range w.ids[q] {
			if w.ids[q][i].pending == by {
				w.ids[q][i].pending = 0
			}
		}
	}
}
