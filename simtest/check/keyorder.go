package check

import (
	"maps"
	"slices"
	"time"
)

// The anomalies of queues that keep the order of keys.
const (
	KeyOvertaken = "key-overtaken"
	KeyShared    = "key-shared"
	FenceTwice   = "fence-twice"
)

// keyOrder judges queues that keep the order of keys: publishes with a Key, deliveries with a Fence, which tells the order in which a key's messages were
// delivered, wherever they went.
//
//   - key-overtaken: a message was delivered after one that was published behind it.
//   - key-shared: a message was delivered before the one in front of it, which was delivered already and does not expire, was acknowledged or
//     rejected by anybody.
//   - fence-twice: two deliveries of a key have one fence.
func (c *queueChecker) keyOrder() {
	type ordered struct{ queue, key string }
	all := map[ordered][]*Delivery{}
	for i := range c.h.Deliveries {
		d := &c.h.Deliveries[i]
		if p := c.published[queueKey{d.Queue, d.Value}]; p != nil && p.Key != "" {
			k := ordered{p.Queue, p.Key}
			all[k] = append(all[k], d)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(all), func(a, b ordered) int { return compareText(a.queue+"\x00"+a.key, b.queue+"\x00"+b.key) }) {
		c.oneKey(k.key, all[k])
	}
}

func (c *queueChecker) oneKey(key string, ds []*Delivery) {
	slices.SortStableFunc(ds, func(a, b *Delivery) int { return compareNumbers(a.Fence, b.Fence) })
	var before []*Delivery // the first delivery of each message so far
	for i, d := range ds {
		if i > 0 && ds[i-1].Fence == d.Fence {
			c.violation(FenceTwice, d.Queue, "%q and %q of key %q were delivered with fence %d", ds[i-1].Value, d.Value, key, d.Fence)
		}
		p, known := c.published[queueKey{d.Queue, d.Value}], false
		for _, b := range before {
			if b.Value == d.Value {
				known = true
				continue
			}
			switch q := c.published[queueKey{b.Queue, b.Value}]; {
			case p.precedes(q):
				c.violation(KeyOvertaken, d.Queue, "%q of key %q was delivered to %s with fence %d, after %q with fence %d, which was published behind it", d.Value, key, d.Consumer, d.Fence, b.Value, b.Fence)
			case q.precedes(p) && !q.Expires && !d.Final && c.settledFrom(b) > d.At:
				c.violation(KeyShared, d.Queue, "%q of key %q was delivered to %s at %v; nobody had settled %q before it, which %s was given at %v", d.Value, key, d.Consumer, d.At, b.Value,
					b.Consumer, b.At)
			}
		}
		if !known {
			before = append(before, d)
		}
	}
}

// precedes says whether a message was published before another for sure: earlier on the same connection, or it was confirmed by then.
func (p *Publish) precedes(q *Publish) bool {
	if p.Publisher == q.Publisher {
		return p.Sequence < q.Sequence
	}
	return p.Outcome == OK && p.Return < q.Call
}

// settledFrom is when somebody first sent that a message is acknowledged or rejected.
func (c *queueChecker) settledFrom(d *Delivery) time.Duration {
	first := time.Duration(1<<63 - 1)
	for _, r := range c.removals[queueKey{d.Queue, d.Value}] {
		first = min(first, r.At)
	}
	return first
}

func compareNumbers(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
