package participant

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/txn"
)

// Partition is what one partition knows of transactions: who holds it, and from which offset on nothing is decided. The
// zero value is a partition that no transaction has touched.
type Partition struct {
	holds holds
	// undecided are the open holds that cover data, in the order of their first offsets, which is the order of their
	// first appends. Each belongs to a producer with an open hold.
	undecided []undecided
}

type undecided struct {
	id    txn.ProducerID
	first int64
}

// Closing is what a decision does to the log, in one apply with the decision.
type Closing struct {
	// Done: it was taken before, or nothing of the transaction is here. The sender is answered as by the first time.
	Done bool
	// Marker: a control batch with Decision's outcome, producer id and epoch is appended, at the offset that was given.
	Marker   bool
	Decision txn.Decision
	// Aborted goes to the list of aborted transactions if HasAborted.
	Aborted    Aborted
	HasAborted bool
}

// String is one line.
func (c Closing) String() string {
	switch {
	case c.Done:
		return fmt.Sprintf("%v: done before", c.Decision)
	case c.HasAborted:
		return fmt.Sprintf("%v: marker, %v", c.Decision, c.Aborted)
	case c.Marker:
		return fmt.Sprintf("%v: marker", c.Decision)
	}
	return fmt.Sprintf("%v: noted", c.Decision)
}

// Grant opens a hold. Earlier decisions must have been closed by Close before, in their order; it is refused otherwise.
// The same grant again changes nothing. now is replicated time, in ms.
func (p *Partition) Grant(g txn.Grant, now int64) *txn.Refusal {
	if r := p.holds.mayGrant(g); r != nil {
		return r
	}
	p.holds.grant(g, now)
	return nil
}

// Check says whether a transactional batch with this producer id and epoch may be appended. number is the transaction
// that the leader meant when it proposed the append, 0 if it did not know. NoHold asks for a grant.
func (p *Partition) Check(id txn.ProducerID, epoch txn.Epoch, number txn.Number) *txn.Refusal {
	return p.holds.check(id, epoch, number)
}

// Open is the number of the producer's open hold, 0 if it has none.
func (p *Partition) Open(id txn.ProducerID) txn.Number {
	if h := p.holds.find(id); h != nil {
		return h.open
	}
	return 0
}

// Holds are the open ones, by rising producer id.
func (p *Partition) Holds() []Hold {
	all := p.holds.open()
	for i := range all {
		all[i].First = p.First(all[i].ProducerID)
	}
	return all
}

// First is where a producer's undecided data begins, -1 if it has none.
func (p *Partition) First(id txn.ProducerID) int64 {
	if i := slices.IndexFunc(p.undecided, func(u undecided) bool { return u.id == id }); i >= 0 {
		return p.undecided[i].first
	}
	return -1
}

// Appended notes that a batch that Check let pass begins at offset base. Offsets rise.
func (p *Partition) Appended(id txn.ProducerID, base, now int64) {
	h := p.holds.find(id)
	invariant.Check(h != nil && h.open != 0, "transactional batch of producer %d at %d without a hold", id, base)
	h.used = max(h.used, now)
	if p.First(id) >= 0 {
		return
	}
	if n := len(p.undecided); n > 0 {
		invariant.Check(p.undecided[n-1].first < base, "batch at %d behind one at %d", base, p.undecided[n-1].first)
	}
	p.undecided = append(p.undecided, undecided{id, base})
}

// Close takes a decision. next is the partition's next offset, where the marker goes if there is one.
func (p *Partition) Close(d txn.Decision, next, now int64) (Closing, *txn.Refusal) {
	done, r := p.holds.mayClose(d)
	if r != nil || done {
		return Closing{Done: done, Decision: d}, r
	}
	p.holds.close(d, now)
	c := Closing{Decision: d}
	i := slices.IndexFunc(p.undecided, func(u undecided) bool { return u.id == d.ProducerID })
	if i < 0 {
		return c, nil
	}
	first := p.undecided[i].first
	p.undecided = slices.Delete(p.undecided, i, i+1)
	c.Marker = true
	if d.Outcome == txn.Abort {
		c.HasAborted = true
		c.Aborted = Aborted{ProducerID: d.ProducerID, First: first, Last: next, Stable: p.LastStable(0, next+1)}
	}
	return c, nil
}

// LastStable is the last stable offset: the first offset that is not decided, else next, and at least start, since what
// was trimmed is nobody's to wait for. With constant start it never falls: a hold that opens has its first append at next.
func (p *Partition) LastStable(start, next int64) int64 {
	if len(p.undecided) > 0 {
		return max(start, p.undecided[0].first)
	}
	return next
}

// Expire forgets producers without a hold that were not used for longer than retention, both in ms; it returns how many.
// retention must be longer than a grant can be on its way, which a leader bounds, since the closed number goes too.
func (p *Partition) Expire(now, retention int64) int { return p.holds.expire(now, retention) }

// Forget forgets a producer that has no open hold; it says whether there was one to forget. Its caller knows that nothing
// of it can be on its way any more.
func (p *Partition) Forget(id txn.ProducerID) bool { return p.holds.forget(id) }

// Len is the number of producers known.
func (p *Partition) Len() int { return len(p.holds) }

// String is one line.
func (p *Partition) String() string {
	return fmt.Sprintf("%d producers, %d undecided", len(p.holds), len(p.undecided))
}

// Describe is String, a line for each producer, and one for each undecided range.
func (p *Partition) Describe() string {
	var s strings.Builder
	s.WriteString(p.String())
	for _, h := range p.holds {
		fmt.Fprintf(&s, "\n  %v", h)
	}
	for _, u := range p.undecided {
		fmt.Fprintf(&s, "\n  undecided: producer %d from %d", u.id, u.first)
	}
	return s.String()
}
