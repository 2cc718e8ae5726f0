package participant

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/txn"
)

// producer is what a participant knows of one producer id.
type producer struct {
	id txn.ProducerID
	// epoch is the highest of any grant or decision; lower ones are fenced.
	epoch txn.Epoch
	// closed is the greatest number that ended here, 0 if none did. It never falls, and is set also by a decision that
	// found nothing to end, so that the grant which comes after its decision is refused.
	closed  txn.Number
	outcome txn.Outcome // of closed
	// open is the number whose hold is open, 0 if none is. It is above closed.
	open txn.Number
	// coordinator and since are the open hold's: whom to ask about it, and the replicated time, in ms, at which it was opened.
	coordinator uint16
	since       int64
	// used is the replicated time, in ms, of the last change; it never falls.
	used int64
}

func (p *producer) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d/%d", p.id, p.epoch)
	if p.open != 0 {
		fmt.Fprintf(&s, " holds %d of slot %d since %d", p.open, p.coordinator, p.since)
	}
	if p.closed != 0 {
		fmt.Fprintf(&s, " closed %d (%v)", p.closed, p.outcome)
	}
	fmt.Fprintf(&s, " used %d", p.used)
	return s.String()
}

// holds are the producers of one participant, by rising id. Partition and Group add what a hold covers.
type holds []*producer

func (h holds) search(id txn.ProducerID) (int, bool) {
	return slices.BinarySearchFunc(h, id, func(p *producer, id txn.ProducerID) int { return cmp.Compare(p.id, id) })
}

func (h holds) find(id txn.ProducerID) *producer {
	if i, ok := h.search(id); ok {
		return h[i]
	}
	return nil
}

func (h *holds) findOrAdd(id txn.ProducerID) *producer {
	i, ok := h.search(id)
	if !ok {
		*h = slices.Insert(*h, i, &producer{id: id})
	}
	return (*h)[i]
}

// mayGrant judges a grant whose earlier decisions are closed already.
func (h holds) mayGrant(g txn.Grant) *txn.Refusal {
	if g.ProducerID < 0 || g.Epoch < 0 || g.Number == 0 {
		return txn.Refusef(txn.InvalidRequest, "%v", g)
	}
	p := h.find(g.ProducerID)
	switch {
	case p == nil:
		return nil
	case g.Number <= p.closed:
		return txn.Refusef(txn.Closed, "%v, but %d has ended here", g, p.closed)
	case g.Epoch < p.epoch:
		return txn.Refusef(txn.InvalidProducerEpoch, "%v is fenced by epoch %d", g, p.epoch)
	case g.Number < p.open:
		return txn.Refusef(txn.Closed, "%v, but %d is open here", g, p.open)
	case p.open != 0 && g.Number > p.open:
		return txn.Refusef(txn.EarlierOpen, "%v, but %d is still open", g, p.open)
	case p.open != 0 && g.Epoch != p.epoch:
		return txn.Refusef(txn.InvalidRequest, "%v, but %d was opened with epoch %d", g, p.open, p.epoch)
	}
	return nil
}

func (h *holds) grant(g txn.Grant, now int64) {
	p := h.findOrAdd(g.ProducerID)
	if p.open == 0 {
		p.since = now
	}
	p.open, p.epoch, p.coordinator, p.used = g.Number, g.Epoch, g.Coordinator, max(p.used, now)
}

// check judges a write of transaction number; 0 if the writer does not know which is open.
func (h holds) check(id txn.ProducerID, epoch txn.Epoch, number txn.Number) *txn.Refusal {
	p := h.find(id)
	switch {
	case p == nil:
		return txn.Refusef(txn.NoHold, "producer %d holds nothing here", id)
	case epoch < p.epoch:
		return txn.Refusef(txn.InvalidProducerEpoch, "epoch %d of producer %d is fenced by %d", epoch, id, p.epoch)
	case number != 0 && number <= p.closed:
		return txn.Refusef(txn.Closed, "transaction %d of producer %d has ended here", number, id)
	case p.open == 0, epoch > p.epoch, number > p.open:
		return txn.Refusef(txn.NoHold, "producer %d has no hold here with epoch %d", id, epoch)
	case number != 0 && number != p.open:
		return txn.Refusef(txn.Closed, "transaction %d of producer %d, but %d is open here", number, id, p.open)
	}
	return nil
}

// mayClose judges a decision; done says that it was taken before, or that there is nothing of it here and never will be.
func (h holds) mayClose(d txn.Decision) (done bool, r *txn.Refusal) {
	if d.ProducerID < 0 || d.Epoch < 0 || d.Number == 0 || d.Outcome > txn.Commit {
		return false, txn.Refusef(txn.InvalidRequest, "%v", d)
	}
	p := h.find(d.ProducerID)
	switch {
	case p == nil:
		return false, nil
	case d.Number == p.closed && d.Outcome != p.outcome:
		return false, txn.Refusef(txn.Contradiction, "%v, but its outcome here is %v", d, p.outcome)
	case d.Number <= p.closed, d.Number < p.open:
		return true, nil
	case p.open != 0 && d.Number > p.open:
		return false, txn.Refusef(txn.EarlierOpen, "%v, but %d is still open", d, p.open)
	}
	return false, nil
}

// close takes a decision that mayClose let pass, and says whether a hold ended with it.
func (h *holds) close(d txn.Decision, now int64) (held bool) {
	p := h.findOrAdd(d.ProducerID)
	held = p.open == d.Number
	p.open, p.closed, p.outcome = 0, d.Number, d.Outcome
	p.coordinator, p.since = 0, 0
	p.epoch, p.used = max(p.epoch, d.Epoch), max(p.used, now)
	return held
}

// Hold is an open hold: for those who ask the coordinator about it, and for DescribeProducers.
type Hold struct {
	ProducerID  txn.ProducerID
	Epoch       txn.Epoch
	Number      txn.Number
	Coordinator uint16 // its coordinator slot
	Since       int64  // replicated time, in ms
	First       int64  // of a partition: the first offset that it covers, -1 if it has none; -1 of a group
}

func (h holds) open() []Hold {
	var all []Hold
	for _, p := range h {
		if p.open != 0 {
			all = append(all, Hold{p.id, p.epoch, p.open, p.coordinator, p.since, -1})
		}
	}
	return all
}

// expire forgets producers without a hold that were not used for longer than retention, both in ms, and returns how many.
func (h *holds) expire(now, retention int64) int {
	before := len(*h)
	*h = slices.DeleteFunc(*h, func(p *producer) bool { return p.open == 0 && now-p.used > retention })
	return before - len(*h)
}

func (h *holds) forget(id txn.ProducerID) bool {
	i, ok := h.search(id)
	if !ok || (*h)[i].open != 0 {
		return false
	}
	*h = slices.Delete(*h, i, i+1)
	return true
}
