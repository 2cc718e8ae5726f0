package participant

import (
	"fmt"
	"strings"

	"github.com/tallymq/tallymq/txn"
)

// Queues is what the queues of one shard know of transactions: who holds them. What a hold covers, deliveries and messages, is
// their own. The zero value are queues that no transaction has touched.
type Queues struct{ holds holds }

// Grant is as Partition.Grant.
func (q *Queues) Grant(g txn.Grant, now int64) *txn.Refusal {
	if r := q.holds.mayGrant(g); r != nil {
		return r
	}
	q.holds.grant(g, now)
	return nil
}

// Check is as Partition.Check.
func (q *Queues) Check(id txn.ProducerID, epoch txn.Epoch, number txn.Number) *txn.Refusal {
	return q.holds.check(id, epoch, number)
}

// Open is as Partition.Open.
func (q *Queues) Open(id txn.ProducerID) txn.Number {
	if h := q.holds.find(id); h != nil {
		return h.open
	}
	return 0
}

// Close takes a decision; held: a hold ended with it, and what it covers is to follow in the same apply.
func (q *Queues) Close(d txn.Decision, now int64) (held bool, r *txn.Refusal) {
	done, r := q.holds.mayClose(d)
	if r != nil || done {
		return false, r
	}
	return q.holds.close(d, now), nil
}

// Holds are the open ones, by rising producer id.
func (q *Queues) Holds() []Hold { return q.holds.open() }

// Expire is as Partition.Expire.
func (q *Queues) Expire(now, retention int64) int { return q.holds.expire(now, retention) }

// Producers is as Partition.Producers.
func (q *Queues) Producers() []txn.ProducerID { return q.holds.ids() }

// AppendRow is as Partition.AppendRow.
func (q *Queues) AppendRow(dst []byte, id txn.ProducerID) ([]byte, bool) {
	h := q.holds.find(id)
	if h == nil {
		return dst, false
	}
	return h.appendTo(dst), true
}

// LoadRow is as Partition.LoadRow.
func (q *Queues) LoadRow(id txn.ProducerID, row []byte) error {
	r := txn.NewRow(row)
	h := q.holds.load(id, r)
	if err := r.End(); err != nil {
		return fmt.Errorf("producer %d: %w", id, err)
	}
	q.holds.insert(h)
	return nil
}

// String is one line.
func (q *Queues) String() string { return fmt.Sprintf("%d producers", len(q.holds)) }

// Describe is String and a line for each producer.
func (q *Queues) Describe() string {
	var s strings.Builder
	s.WriteString(q.String())
	for _, h := range q.holds {
		fmt.Fprintf(&s, "\n  %v", h)
	}
	return s.String()
}
