package participant

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/txn"
)

// Group is what one consumer group knows of transactions: who holds it, and the offsets that are pending. The zero value
// is a group that no transaction has touched.
type Group struct {
	holds   holds
	pending []pending // by rising producer id; each belongs to a producer with an open hold
	newest  []newest  // by rising producer id; for producers that holds knows
}

// pending is what one open transaction offers.
type pending struct {
	id txn.ProducerID
	// connection is the one whose offsets these are; None under the second protocol version, where the epoch is enough.
	connection txn.Generation
	offsets    []Offset // by topic and partition
}

// newest is the newest connection that offers of a producer came over.
type newest struct {
	id         txn.ProducerID
	connection txn.Generation
}

// Offset is one committed offset, or one that a transaction would commit.
type Offset struct {
	Topic       [16]byte
	Partition   int32
	Offset      int64
	LeaderEpoch int32  // -1 if the client did not say
	Name        string // the topic's, which clients ask by
	Metadata    string
	// Written is the place in the shard's log: of two offsets of a partition the one that was written later is in force,
	// whenever it was decided (so does Kafka).
	Written uint64
}

func (o Offset) compare(q Offset) int {
	return cmp.Or(strings.Compare(string(o.Topic[:]), string(q.Topic[:])), cmp.Compare(o.Partition, q.Partition))
}

// String is one line.
func (o Offset) String() string {
	p := txn.Participant{Topic: o.Topic, Partition: o.Partition}
	return fmt.Sprintf("%v at %d written %d", p, o.Offset, o.Written)
}

// Offer is a transaction's offsets on their way to be pending.
type Offer struct {
	ProducerID txn.ProducerID
	Epoch      txn.Epoch
	Number     txn.Number // that the leader meant; 0 if it did not know
	// Connection is the one that the client's request came over, and Term the leader's of now; None under the second
	// protocol version.
	Connection txn.Generation
	Term       uint64
	Offsets    []Offset
}

// Grant is as Partition.Grant.
func (g *Group) Grant(n txn.Grant, now int64) *txn.Refusal {
	if r := g.holds.mayGrant(n); r != nil {
		return r
	}
	g.holds.grant(n, now)
	return nil
}

// Open is as Partition.Open.
func (g *Group) Open(id txn.ProducerID) txn.Number {
	if h := g.holds.find(id); h != nil {
		return h.open
	}
	return 0
}

// Holds are the open ones, by rising producer id.
func (g *Group) Holds() []Hold { return g.holds.open() }

// Offer makes offsets pending, over those that this transaction offered before. The caller has fenced the request by
// member, instance and generation in the same apply. now is replicated time, in ms.
//
// Under the first protocol version a request of an earlier transaction looks like one of this one, and would rewind the
// group. So an older connection than the newest is refused, and a transaction takes offsets from one connection only.
func (g *Group) Offer(o Offer, now int64) *txn.Refusal {
	r := g.holds.check(o.ProducerID, o.Epoch, o.Number)
	if r != nil && r.Code != txn.NoHold {
		return r
	}
	if stale := g.stale(o); stale != nil { // before a grant is asked for
		return stale
	}
	if r != nil {
		return r
	}
	p := pending{id: o.ProducerID, connection: o.Connection}
	i, known := g.searchPending(o.ProducerID)
	if known {
		p = g.pending[i]
	}
	if p.connection != o.Connection {
		return txn.Refusef(txn.IllegalGeneration, "offsets of producer %d came over %v before, now over %v", o.ProducerID, p.connection, o.Connection)
	}
	merged := merge(p.offsets, o.Offsets)
	if len(merged) > PendingOffsetsMax {
		return txn.Refusef(txn.TooManyParticipants, "%d offsets in one transaction, at most %d", len(merged), PendingOffsetsMax)
	}
	p.offsets = merged
	if known {
		g.pending[i] = p
	} else {
		g.pending = slices.Insert(g.pending, i, p)
	}
	g.renew(o)
	h := g.holds.find(o.ProducerID)
	h.used = max(h.used, now)
	return nil
}

// merge puts later over earlier, both and the result by topic and partition; within later the last one counts.
func merge(earlier, later []Offset) []Offset {
	merged := slices.Clone(earlier)
	for _, o := range later {
		if i, known := slices.BinarySearchFunc(merged, o, Offset.compare); known {
			merged[i] = o
		} else {
			merged = slices.Insert(merged, i, o)
		}
	}
	return merged
}

func (g *Group) stale(o Offer) *txn.Refusal {
	if o.Connection.None() {
		return nil
	}
	if o.Connection.Term != o.Term {
		return txn.Refusef(txn.StaleConnection, "connection %v, but the term is %d", o.Connection, o.Term)
	}
	if i, known := g.searchNewest(o.ProducerID); known && o.Connection.Less(g.newest[i].connection) {
		return txn.Refusef(txn.StaleConnection, "connection %v, but producer %d has used %v", o.Connection, o.ProducerID, g.newest[i].connection)
	}
	return nil
}

func (g *Group) renew(o Offer) {
	if o.Connection.None() {
		return
	}
	i, known := g.searchNewest(o.ProducerID)
	if !known {
		g.newest = slices.Insert(g.newest, i, newest{id: o.ProducerID})
	}
	g.newest[i].connection = o.Connection
}

// Len is the number of producers known.
func (g *Group) Len() int { return len(g.holds) }

// Close takes a decision. What it returns comes into force if the decision is a commit: each offset for which the group has
// none that was written later. done is as Closing.Done.
func (g *Group) Close(d txn.Decision, now int64) (commit []Offset, done bool, r *txn.Refusal) {
	done, r = g.holds.mayClose(d)
	if r != nil || done {
		return nil, done, r
	}
	g.holds.close(d, now)
	i, known := g.searchPending(d.ProducerID)
	if !known {
		return nil, false, nil
	}
	if d.Outcome == txn.Commit {
		commit = g.pending[i].offsets
	}
	g.pending = slices.Delete(g.pending, i, i+1)
	return commit, false, nil
}

// Pending says whether an open transaction offers an offset for this partition (KIP-447, RequireStable).
func (g *Group) Pending(topic [16]byte, partition int32) bool {
	for _, p := range g.pending {
		if _, known := slices.BinarySearchFunc(p.offsets, Offset{Topic: topic, Partition: partition}, Offset.compare); known {
			return true
		}
	}
	return false
}

// Expire is as Partition.Expire.
func (g *Group) Expire(now, retention int64) int {
	n := g.holds.expire(now, retention)
	g.newest = slices.DeleteFunc(g.newest, func(c newest) bool { return g.holds.find(c.id) == nil })
	return n
}

func (g *Group) searchPending(id txn.ProducerID) (int, bool) {
	return slices.BinarySearchFunc(g.pending, id, func(p pending, id txn.ProducerID) int { return cmp.Compare(p.id, id) })
}

func (g *Group) searchNewest(id txn.ProducerID) (int, bool) {
	return slices.BinarySearchFunc(g.newest, id, func(c newest, id txn.ProducerID) int { return cmp.Compare(c.id, id) })
}

// String is one line.
func (g *Group) String() string {
	return fmt.Sprintf("%d producers, %d with pending offsets", len(g.holds), len(g.pending))
}

// Describe is String, a line for each producer and its newest connection, and one for each pending offset.
func (g *Group) Describe() string {
	var s strings.Builder
	s.WriteString(g.String())
	for _, h := range g.holds {
		fmt.Fprintf(&s, "\n  %v", h)
		if i, known := g.searchNewest(h.id); known {
			fmt.Fprintf(&s, " connection %v", g.newest[i].connection)
		}
	}
	for _, p := range g.pending {
		for _, o := range p.offsets {
			fmt.Fprintf(&s, "\n  pending of %d: %v", p.id, o)
		}
	}
	return s.String()
}
