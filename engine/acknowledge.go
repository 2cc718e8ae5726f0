package engine

import (
	"context"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/transaction"
	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
)

// acknowledging are the decisions that participants have taken, and of which the coordinator's state does not know yet: it is told
// of many at once, since nobody waits for it. They are not delivered again meanwhile.
type acknowledging struct {
	l *lead

	mu      sync.Mutex
	markers map[coordinator.Marker]struct{}
	due     *gathering // of these, those that the coordinator is not being told of yet; nil: none
	settled *broadcast // after each answer of the coordinator
}

// gathering are decisions of which the coordinator will be told together.
type gathering struct {
	markers []coordinator.Marker
	numbers map[string]txn.Number // the transaction that one of those is of, by id
	isFull  bool                  // an id has so many decisions that it is to be told now
	full    chan struct{}         // closed when isFull
}

func newAcknowledging(l *lead) acknowledging {
	return acknowledging{l: l, markers: map[coordinator.Marker]struct{}{}, settled: newBroadcast()}
}

// has says that a decision was taken.
func (x *acknowledging) has(k coordinator.Marker) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.markers[k]
	return ok
}

// add notes one that was taken.
func (x *acknowledging) add(k coordinator.Marker) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, again := x.markers[k]; again {
		return
	}
	x.markers[k] = struct{}{}
	g := x.due
	if g == nil {
		g = &gathering{numbers: map[string]txn.Number{}, full: make(chan struct{})}
		x.due = g
		x.l.e.spawn(func(context.Context) { x.flush(g) }) // else the node ends, and the next leader delivers it again
	}
	if n, some := g.numbers[k.Name]; some && n != k.Decision.Number && !g.isFull { // a quick producer: it may owe few (coordinator.DecisionsMax)
		g.isFull = true
		close(g.full)
	}
	g.numbers[k.Name] = k.Decision.Number
	g.markers = append(g.markers, k)
}

// flush tells the coordinator of all that are there, after a while, or when one id has two decisions.
func (x *acknowledging) flush(g *gathering) {
	t := time.NewTimer(acknowledgeEvery)
	defer t.Stop()
	select {
	case <-t.C:
	case <-g.full:
	case <-x.l.ctx.Done():
	}
	actAcknowledgedLate.Pause(actWaitShort)
	x.tell(g)
}

// ride tells it at once: the leader is about to propose something on the shard anyway, and both go in one log entry.
func (x *acknowledging) ride() {
	x.mu.Lock()
	g := x.due
	x.mu.Unlock()
	if g != nil {
		x.tell(g)
	}
}

// tell tells the coordinator of what was gathered, unless it was told already.
func (x *acknowledging) tell(g *gathering) {
	x.mu.Lock()
	if x.due != g {
		x.mu.Unlock()
		return
	}
	x.due = nil
	due := g.markers // nobody adds to it any more
	x.mu.Unlock()
	for len(due) > 0 { // those of one decision came together
		n := 1
		for n < len(due) && due[n].Name == due[0].Name && due[n].Decision == due[0].Decision {
			n++
		}
		ks := due[:n]
		c := command.TxnAcknowledge{Name: ks[0].Name, Number: uint64(ks[0].Decision.Number)}
		for _, k := range ks {
			c.Participants = append(c.Participants, transaction.Command(k.Participant))
		}
		x.l.e.proposeAsync(x.l.ctx, x.l.shard, x.l.term, c.AppendTo(nil), nil, func(_ []byte, err error) { x.told(ks, err) })
		due = due[n:]
	}
}

// told forgets what the coordinator knows by now; what it was not told is delivered again.
func (x *acknowledging) told(ks []coordinator.Marker, err error) {
	x.mu.Lock()
	for _, k := range ks {
		delete(x.markers, k)
	}
	x.mu.Unlock()
	x.settled.fire()
	if err != nil && x.l.ctx.Err() == nil {
		x.l.e.log.Warn("an acknowledgement was not applied, the decision is delivered again", "id", ks[0].Name, "err", err)
		x.l.deliveries.owe(ks[0].Name)
	}
}

// slack waits, but not for long, until an id owes so few decisions that its next transaction will not be refused for them.
func (x *acknowledging) slack(ctx context.Context, name string) {
	c, cancel := context.WithTimeout(ctx, owedWait)
	defer cancel()
	for {
		next := x.settled.next()
		x.l.r.mu.RLock()
		owed := x.l.r.txns.IDs().Owed(name)
		x.l.r.mu.RUnlock()
		if owed <= coordinator.DecisionsMax-owedSlack {
			return
		}
		select {
		case <-next:
		case <-x.l.ctx.Done():
			return
		case <-c.Done():
			return
		}
	}
}
