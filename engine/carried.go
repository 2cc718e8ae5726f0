package engine

import (
	"slices"
	"sync"
	"time"

	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
)

// A quick producer brings its decisions along: the grant of its next transaction closes the last one at each participant
// that both have. So its decisions wait a moment before they are sent, and are not sent to those who have taken them by
// then, as this node's replica of their shard shows. That saves a log entry for each shard of each transaction.
//
//	decision 7 ──┬─ waits ───────────────────────────── hold 8 is open there: taken ──► acknowledged
//	             └─ TxnAdd 8 ──► TxnGrant 8, earlier: 7 ──┘

// pace tells quick producers from others. The zero value knows none.
type pace struct {
	mu   sync.Mutex
	last map[string]decided // by id; those that are long ago are forgotten when there are paceNamesMax
}

// decided is the last transaction of an id.
type decided struct {
	number txn.Number
	at     time.Time
}

// isQuick notes the decision of a transaction, and says whether the one before was decided shortly before it. Of one that was
// noted already it says no.
func (x *pace) isQuick(name string, number txn.Number) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	now, before := time.Now(), x.last[name]
	if before.number >= number {
		return false
	}
	if x.last == nil {
		x.last = map[string]decided{}
	}
	if len(x.last) >= paceNamesMax {
		for n, d := range x.last { //lint:sorted each is judged by itself
			if now.Sub(d.at) > quickProducer {
				delete(x.last, n)
			}
		}
	}
	x.last[name] = decided{number, now}
	return now.Sub(before.at) <= quickProducer
}

// carried waits until the producer's next transaction has brought its decisions along, but not for long, and gives those that
// it did not.
func (d *deliveries) carried(markers []coordinator.Marker) []coordinator.Marker {
	for end := time.Now().Add(carriedWait); d.l.ctx.Err() == nil; {
		markers = slices.DeleteFunc(markers, func(k coordinator.Marker) bool {
			if !d.l.e.overtaken(k) {
				return false
			}
			d.taken.add(k)
			return true
		})
		if len(markers) == 0 || !time.Now().Before(end) {
			break
		}
		sleep(d.l.ctx, carriedLook)
	}
	return markers
}

// overtaken says that a later transaction is open at the participant, which takes none before it has taken the decisions of
// all earlier ones. No is also the answer where this node does not know.
func (e *Engine) overtaken(k coordinator.Marker) bool {
	shard, known := e.shardOf(k.Participant)
	if !known {
		return false
	}
	r, here := e.replica(shard)
	if !here {
		return false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return participants{r: r}.Open(k.Participant, k.Decision.ProducerID) > k.Decision.Number
}
