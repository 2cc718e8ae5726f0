package engine

import (
	"context"
	"strings"
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/transaction"
	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
)

// deliveries bring the decisions of a led shard to participants on other shards, until those have acknowledged them. What
// is owed is replicated state: a leader that comes next begins with all of it, and to deliver twice changes nothing.
type deliveries struct {
	l    *lead
	room chan struct{} // one place per id that is being delivered

	mu      sync.Mutex
	running map[string]bool // ids; true: something was added since it looked last

	taken acknowledging
	pace  pace
}

func newDeliveries(l *lead) *deliveries {
	return &deliveries{l: l, room: make(chan struct{}, deliveriesMax), running: map[string]bool{}, taken: newAcknowledging(l)}
}

// begin takes over what earlier leaders owe.
func (d *deliveries) begin() {
	d.l.r.mu.RLock()
	names := map[string]bool{}
	for _, k := range d.l.r.txns.IDs().Undelivered("", undeliveredMax) {
		names[k.Name] = true
	}
	d.l.r.mu.RUnlock()
	for _, name := range sortedKeys(names) {
		d.owe(name)
	}
}

// owe sees to it that the decisions of an id are delivered.
func (d *deliveries) owe(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, running := d.running[name]; running {
		d.running[name] = true
		return
	}
	d.running[name] = false
	d.l.e.spawn(func(context.Context) { d.run(name) })
}

// run delivers what an id owes, and again what could not be delivered, after a pause that grows.
func (d *deliveries) run(name string) {
	select {
	case d.room <- struct{}{}:
		defer func() { <-d.room }()
	case <-d.l.ctx.Done():
		return
	}
	pause := deliverPauseMin
	told := strings.HasPrefix(name, commitIDPrefix) // by the node that committed
	if told {
		sleep(d.l.ctx, commitTellsFirst)
	}
	for d.l.ctx.Err() == nil {
		d.mu.Lock()
		d.running[name] = false
		d.mu.Unlock()
		d.l.r.mu.RLock()
		markers := d.l.r.txns.IDs().UndeliveredBut(name, coordinator.ParticipantsMax, d.taken.has)
		d.l.r.mu.RUnlock()
		if len(markers) > 0 {
			if !told && d.pace.isQuick(name, newest(markers)) {
				markers = d.carried(markers)
			}
			if d.deliver(name, markers) {
				pause = deliverPauseMin
			} else {
				sleep(d.l.ctx, pause)
				pause = min(2*pause, deliverPauseMax)
			}
			continue
		}
		d.mu.Lock()
		if !d.running[name] {
			delete(d.running, name)
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
	}
}

func newest(markers []coordinator.Marker) (n txn.Number) {
	for _, k := range markers {
		n = max(n, k.Decision.Number)
	}
	return n
}

// letter is one decision for the participants of one shard.
type letter struct {
	shard        broker.ShardID
	decision     txn.Decision
	participants []txn.Participant
}

// letters sorts markers by shard and decision. Those whose partition is not in the catalog are gone.
func (d *deliveries) letters(markers []coordinator.Marker) (all []*letter, unknown []coordinator.Marker) {
	type place struct {
		shard  broker.ShardID
		number txn.Number
	}
	at := map[place]*letter{}
	for _, k := range markers {
		shard, known := d.l.e.shardOf(k.Participant)
		if !known {
			unknown = append(unknown, k)
			continue
		}
		x := at[place{shard, k.Decision.Number}]
		if x == nil {
			x = &letter{shard: shard, decision: k.Decision}
			at[place{shard, k.Decision.Number}] = x
			all = append(all, x)
		}
		x.participants = append(x.participants, k.Participant)
	}
	return all, unknown
}

// deliver sends each shard what concerns it, side by side, and notes what was taken. It says whether that was all.
//
// A crash between a participant's apply and the acknowledgement leaves the decision owed: the next leader delivers it
// again, and the participant has taken it before.
func (d *deliveries) deliver(name string, markers []coordinator.Marker) (all bool) {
	d.l.maybeHandOver(actDecisionOrphaned)
	letters, unknown := d.letters(markers)
	var wg sync.WaitGroup
	results := make([][]txn.Participant, len(letters))
	for i, x := range letters {
		wg.Add(1)
		go func() {
			defer wg.Done()
			results[i] = d.send(x)
		}()
	}
	wg.Wait()
	d.l.maybeHandOver(actAcknowledgedOrphaned)
	all = true
	for i, x := range letters {
		for _, p := range results[i] {
			d.taken.add(coordinator.Marker{Name: name, Participant: p, Decision: x.decision})
		}
		all = all && len(results[i]) == len(x.participants)
	}
	for _, k := range d.gone(unknown) {
		d.taken.add(k)
	}
	return all && len(unknown) == 0
}

// send gives one shard a decision, and returns who has taken it for good.
func (d *deliveries) send(x *letter) (taken []txn.Participant) {
	ctx, cancel := context.WithTimeout(d.l.ctx, deliverTimeout)
	defer cancel()
	actDecisionLate.Pause(actWaitLong)
	if actDecisionLost.Now() {
		return nil
	}
	c := command.TxnDecide{Decision: transaction.CommandOf(x.decision), Participants: transaction.Commands(x.participants)}
	out, err := d.l.e.propose(ctx, x.shard, 0, c.AppendTo(nil))
	if err != nil {
		if d.l.ctx.Err() == nil {
			d.l.e.log.Debug("decision not delivered, will be tried again", "decision", x.decision, "shard", x.shard, "err", err)
		}
		return nil
	}
	var r command.TxnParticipantsResult
	if err := r.Decode(out); err != nil {
		d.l.e.log.Error("answer to a decision", "err", err)
		return nil
	}
	for i, p := range x.participants {
		switch code := txn.Code(r.Codes[i]); {
		case r.Here[i] && code == txn.None:
			taken = append(taken, p)
		case code == txn.Contradiction:
			d.l.e.log.Error("a participant has taken another decision", "participant", p, "decision", x.decision)
		}
	}
	return taken
}

// gone are those markers whose partition does not exist any more, by a look at the catalog that is taken after the partition
// became a participant: to an older view one that was made since looks the same.
func (d *deliveries) gone(unknown []coordinator.Marker) (gone []coordinator.Marker) {
	if len(unknown) == 0 || d.l.e.freshView(d.l.ctx) != nil {
		return nil
	}
	for _, k := range unknown {
		if _, known := d.l.e.shardOf(k.Participant); !known {
			gone = append(gone, k)
		}
	}
	return gone
}

// expireTransactions aborts what is open for too long, and forgets ids that nobody uses.
func (l *lead) expireTransactions() {
	for l.ctx.Err() == nil {
		now := int64(l.e.host.Clock(uint64(l.shard)))
		l.r.mu.RLock()
		next, some := l.r.txns.IDs().NextDeadline()
		var due []string
		if some && next <= now {
			due = l.r.txns.IDs().Due(now, expireNamesMax)
		}
		l.r.mu.RUnlock()
		if len(due) == 0 {
			return
		}
		c := command.TxnExpire{Names: due}
		out, ok := l.decide("expire transactions", c.AppendTo(nil))
		var r command.TxnResult
		if !ok || r.Decode(out) != nil {
			return
		}
		l.endedWithout(r.Ended, abortedByTimeOut)
	}
}

// endedWithout tells of transactions that were aborted without their producer.
func (l *lead) endedWithout(names []string, why abortReason) {
	for _, name := range names {
		l.aborted(name, why, -1, -1)
		if l.deliveries != nil {
			l.deliveries.owe(name)
		}
	}
}
