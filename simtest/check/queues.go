package check

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// A Publish is one message that a client published to one queue.
type Publish struct {
	Span
	Publisher   string // one connection; what it publishes to a queue is ordered
	Sequence    int
	Queue       string
	Value       string // unique in its queue
	Outcome     Outcome
	Key         string // of a queue that keeps the order of keys; "": it does not
	Expires     bool   // it may be gone without anybody having removed it
	Transaction int    // index in QueueHistory.Transactions, which then has the outcome; -1: none
}

// A Delivery is one message that a client was given.
type Delivery struct {
	At          time.Duration
	Consumer    string // one subscription, or one channel that gets
	Queue       string
	Value       string
	Redelivered bool
	Fence       uint64 // in a queue that keeps the order of keys
	Final       bool   // part of emptying the queue after everything
	// Since is when the consumer began: what reaches a client late may have been on its way for long.
	Since time.Duration
}

// A Removal is a delivery that its client acknowledged, or rejected for good. Outside of transactions nobody is told what became
// of it.
type Removal struct {
	At          time.Duration // when it was sent
	Queue       string
	Value       string
	Transaction int    // -1: none
	To          string // where its queue sends what is rejected; "": it was acknowledged, or nothing is sent on
}

// A QueueTransaction is one tx.commit.
type QueueTransaction struct {
	Span
	Client  string
	Outcome Outcome
}

// A QueueHistory is everything that clients of queues saw. All queues were emptied in the end.
type QueueHistory struct {
	Publishes    []Publish
	Deliveries   []Delivery // of each consumer in the order in which they came
	Removals     []Removal
	Transactions []QueueTransaction
}

// The anomalies of queues.
const (
	LostMessage      = "lost-message"
	PhantomMessage   = "phantom-message"
	AbortedMessage   = "aborted-message"
	UnmarkedAgain    = "unmarked-redelivery"
	MessageCameBack  = "settled-message-came-back"
	SettledTwice     = "settled-twice"
	DoubledMessage   = "doubled-message"
	OvertakenMessage = "overtaken-message"
	TornCommit       = "torn-commit"
)

// queueKey names a message in a queue.
type queueKey struct{ queue, value string }

// queueChecker is one run of Queues.
type queueChecker struct {
	h          *QueueHistory
	published  map[queueKey]*Publish
	deliveries map[queueKey][]*Delivery
	removals   map[queueKey][]*Removal
	decided    []Outcome // of transactions, as far as what they published shows it
	found      []Violation
}

// Queues judges a history of queues.
//
//   - lost-message: it was confirmed, or its transaction committed; nobody removed it, and it was not there in the end.
//   - phantom-message: somebody was given what nobody published, or before it was published.
//   - aborted-message: somebody was given what a transaction published that was refused or rolled back.
//   - unmarked-redelivery: it was delivered a second time, and not marked so.
//   - settled-message-came-back: it was there in the end, or was delivered to a consumer that began after it was removed by a transaction.
//   - settled-twice: two transactions that committed removed it.
//   - doubled-message: it was there twice in the end.
//   - overtaken-message: a consumer was given two messages of one publisher, both for the first time, in another order than
//     they were published in.
//   - lost-message, doubled-message: it was rejected, and is neither where it was nor where its queue sends what is rejected; or in both.
//   - key-overtaken, key-shared, fence-twice: see keyOrder.
//   - torn-commit: some of what a transaction did is there, and some is not.
func Queues(h *QueueHistory) []Violation {
	c := &queueChecker{h: h, published: map[queueKey]*Publish{}, deliveries: map[queueKey][]*Delivery{}, removals: map[queueKey][]*Removal{}}
	for i := range h.Publishes {
		p := &h.Publishes[i]
		key := queueKey{p.Queue, p.Value}
		if c.published[key] != nil {
			c.violation(InvalidHistory, p.Queue, "%q was published twice", p.Value)
		}
		c.published[key] = p
	}
	for i := range h.Deliveries {
		d := &h.Deliveries[i]
		key := queueKey{d.Queue, d.Value}
		c.deliveries[key] = append(c.deliveries[key], d)
	}
	for i := range h.Removals {
		r := &h.Removals[i]
		key := queueKey{r.Queue, r.Value}
		c.removals[key] = append(c.removals[key], r)
	}
	c.decide()
	c.delivered()
	c.lost()
	c.removed()
	c.sentOn()
	c.order()
	c.keyOrder()
	return c.found
}

func (c *queueChecker) violation(anomaly, where, format string, args ...any) {
	c.found = append(c.found, Violation{Anomaly: anomaly, Where: where, Text: fmt.Sprintf(format, args...)})
}

// decide finds out about transactions whose outcome the client was not told: what they published is delivered by the end, or
// never was.
func (c *queueChecker) decide() {
	type seen struct{ there, not []*Publish }
	all := map[int]*seen{}
	for i := range c.h.Publishes {
		p := &c.h.Publishes[i]
		if p.Transaction < 0 {
			continue
		}
		if all[p.Transaction] == nil {
			all[p.Transaction] = &seen{}
		}
		if s := all[p.Transaction]; len(c.deliveries[queueKey{p.Queue, p.Value}]) > 0 {
			s.there = append(s.there, p)
		} else {
			s.not = append(s.not, p)
		}
	}
	c.decided = make([]Outcome, len(c.h.Transactions))
	for i := range c.h.Transactions {
		t := &c.h.Transactions[i]
		c.decided[i] = t.Outcome
		s := all[i]
		if t.Outcome != Unknown || s == nil {
			continue
		}
		switch {
		case len(s.there) > 0 && len(s.not) > 0:
			c.violation(TornCommit, s.not[0].Queue, "%s does not know whether its transaction committed: %q is in %s, %q is not in %s", t.Client, s.there[0].Value, s.there[0].Queue,
				s.not[0].Value, s.not[0].Queue)
		case len(s.there) > 0:
			c.decided[i] = OK
		default:
			c.decided[i] = Failed
		}
	}
}

// outcome is what became of a publish.
func (c *queueChecker) outcome(p *Publish) Outcome {
	if p.Transaction >= 0 {
		return c.h.Transactions[p.Transaction].Outcome
	}
	return p.Outcome
}

// keys are those of a map, in order.
func queueKeys[V any](m map[queueKey]V) []queueKey {
	return slices.SortedFunc(maps.Keys(m), func(a, b queueKey) int {
		if a.queue != b.queue {
			return compareText(a.queue, b.queue)
		}
		return compareText(a.value, b.value)
	})
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// delivered judges what clients were given.
func (c *queueChecker) delivered() {
	for _, key := range queueKeys(c.deliveries) {
		ds, p := c.deliveries[key], c.published[key]
		slices.SortStableFunc(ds, func(a, b *Delivery) int { return int(a.At - b.At) })
		first := ds[0]
		switch {
		case p == nil:
			c.violation(PhantomMessage, key.queue, "%s was given %q, which nobody published", first.Consumer, key.value)
			continue
		case first.At < p.Call:
			c.violation(PhantomMessage, key.queue, "%s was given %q at %v, and %s published it at %v", first.Consumer, key.value, first.At, p.Publisher, p.Call)
		case c.outcome(p) == Failed:
			c.violation(AbortedMessage, key.queue, "%s was given %q, which %s published in a transaction that never was", first.Consumer, key.value, p.Publisher)
		}
		final := 0
		fresh := 0
		for _, d := range ds {
			if !d.Redelivered {
				fresh++
			}
			if d.Final {
				final++
			}
		}
		if fresh > 1 {
			c.violation(UnmarkedAgain, key.queue, "%q was delivered %d times, %d of them for the first time, the last to %s at %v", key.value, len(ds), fresh, ds[len(ds)-1].Consumer, ds[len(ds)-1].At)
		}
		if final > 1 {
			c.violation(DoubledMessage, key.queue, "%q was there %d times in the end", key.value, final)
		}
	}
}

// isThere says whether a message was in its queue in the end.
func (c *queueChecker) isThere(key queueKey) bool {
	return slices.ContainsFunc(c.deliveries[key], func(d *Delivery) bool { return d.Final })
}

// lost judges what is not there.
func (c *queueChecker) lost() {
	for i := range c.h.Publishes {
		p := &c.h.Publishes[i]
		key := queueKey{p.Queue, p.Value}
		outcome := p.Outcome
		if p.Transaction >= 0 {
			outcome = c.decided[p.Transaction]
		}
		if outcome != OK && len(c.deliveries[key]) == 0 || c.isThere(key) || p.Expires {
			continue
		}
		if !slices.ContainsFunc(c.removals[key], func(r *Removal) bool { return r.Transaction < 0 || c.decided[r.Transaction] != Failed }) {
			c.violation(LostMessage, p.Queue, "%q of %s (%v, at %v) was removed by nobody, and was not there in the end; it was delivered %d times", p.Value, p.Publisher, outcome, p.Call,
				len(c.deliveries[key]))
		}
	}
}

// removed judges what transactions removed.
func (c *queueChecker) removed() {
	for _, key := range queueKeys(c.removals) {
		var by []*QueueTransaction
		for _, r := range c.removals[key] {
			if r.Transaction >= 0 && c.decided[r.Transaction] == OK {
				by = append(by, &c.h.Transactions[r.Transaction])
			}
		}
		if len(by) == 0 {
			continue
		}
		if len(by) > 1 {
			c.violation(SettledTwice, key.queue, "%q was removed by transactions of %s at %v and of %s at %v", key.value, by[0].Client, by[0].Call, by[1].Client, by[1].Call)
		}
		for _, d := range c.deliveries[key] {
			if d.Final || by[0].Outcome == OK && d.Since > by[0].Return {
				c.violation(MessageCameBack, key.queue, "%q was delivered to %s at %v; %s had removed it in a transaction at %v", key.value, d.Consumer, d.At, by[0].Client, by[0].Call)
				break
			}
		}
	}
}

// sentOn judges what was rejected. Whether the rejection is in force nobody is told.
func (c *queueChecker) sentOn() {
	for _, key := range queueKeys(c.removals) {
		to, acknowledged := "", false
		for _, r := range c.removals[key] {
			if r.To == "" {
				acknowledged = true
			} else {
				to = r.To
			}
		}
		if to == "" {
			continue
		}
		is, was := c.isThere(queueKey{to, key.value}), c.isThere(key)
		switch {
		case is && was:
			c.violation(DoubledMessage, key.queue, "%q was rejected, and is in %s and in %s", key.value, key.queue, to)
		case !is && !was && !acknowledged:
			c.violation(LostMessage, key.queue, "%q was rejected, and is neither in %s nor in %s", key.value, key.queue, to)
		}
	}
}

// order judges what each consumer was given for the first time.
func (c *queueChecker) order() {
	type stream struct{ consumer, queue, publisher, key string }
	last := map[stream]*Publish{}
	for i := range c.h.Deliveries {
		d := &c.h.Deliveries[i]
		p := c.published[queueKey{d.Queue, d.Value}]
		if p == nil || d.Redelivered {
			continue
		}
		s := stream{d.Consumer, d.Queue, p.Publisher, p.Key}
		if before := last[s]; before != nil && before.Sequence > p.Sequence {
			c.violation(OvertakenMessage, d.Queue, "%s was given %q and then %q, which %s published before it", d.Consumer, before.Value, p.Value, p.Publisher)
		}
		last[s] = p
	}
}
