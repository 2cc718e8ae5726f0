package engine

import (
	"context"
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
)

// A leader may apply later than its followers. A client of the first protocol version that a follower has told of its next
// transaction may be here while the last one is still open here: its batch is proposed as one of the last, and refused,
// since that has ended where it is applied. By then this leader has applied that too, so the batch is tried again, once,
// and those that were sent behind it come again behind it. Under the second version the epoch says which transaction a
// batch belongs to.

// flight is what is on its way of one producer to one partition, all of it in one transaction. What belongs to another one
// is held until it has landed.
type flight struct {
	number  txn.Number
	count   int          // batches on their way
	refused []*appending // to be tried again, in their order
	held    []*appending // behind those
	landed  bool         // nothing is on its way any more, and somebody sees to refused and held
}

// flights are the flights of a led shard. Its lock is never held while something is proposed, and it is taken inside of
// enlists' one.
type flights struct {
	mu  sync.Mutex
	all map[enlistKey]*flight
}

// launch proposes a batch of the first protocol version in a transaction, or holds it. number 0: the window will answer
// it, or a grant is on its way in front of it. The caller has enlists' lock.
func (l *lead) launch(key enlistKey, a *appending, number txn.Number, ready bool) (launched bool) {
	l.flights.mu.Lock()
	f := l.flights.all[key]
	switch {
	case f == nil && !ready:
		l.flights.mu.Unlock()
		return false
	case f == nil:
		f = &flight{number: number}
		if l.flights.all == nil {
			l.flights.all = map[enlistKey]*flight{}
		}
		l.flights.all[key] = f
	case f.landed, !ready, number > f.number, len(f.refused) > 0:
		f.held = append(f.held, a)
		l.flights.mu.Unlock()
		return true
	}
	f.count++
	number = f.number
	l.flights.mu.Unlock()
	a.proposeTo(l.term, number, func(out []byte, err error) { l.land(key, f, a, out, err) })
	return true
}

// land takes the outcome of a batch: it is answered, or to be tried again.
func (l *lead) land(key enlistKey, f *flight, a *appending, out []byte, err error) {
	again := err == nil && !a.again && notIn(out)
	l.flights.mu.Lock()
	if f.count--; again {
		a.again = true
		f.refused = append(f.refused, a)
	}
	if f.count == 0 {
		if len(f.refused)+len(f.held) == 0 {
			delete(l.flights.all, key)
		} else {
			f.landed = true
		}
	}
	landed := f.landed
	l.flights.mu.Unlock()
	if !again {
		a.done(out, err)
	}
	if landed && !l.e.spawn(func(context.Context) { l.resume(key, f) }) {
		l.ground(key, f)
	}
}

// notIn says that a batch was refused since its transaction was not open.
func notIn(out []byte) bool {
	var x command.AppendResult
	return x.Decode(out) == nil && x.Code == broker.CodeNotInTransaction
}

// resume sends what was refused and held on its way again.
func (l *lead) resume(key enlistKey, f *flight) {
	l.enlists.mu.Lock()
	behind, busy := l.enlists.waiting[key]
	l.enlists.wait(key, append(l.take(key, f), behind...)...)
	l.enlists.mu.Unlock()
	if !busy {
		l.enlist(key)
	}
}

// take ends a flight, and gives what is left of it.
func (l *lead) take(key enlistKey, f *flight) []*appending {
	l.flights.mu.Lock()
	defer l.flights.mu.Unlock()
	delete(l.flights.all, key)
	return append(f.refused, f.held...)
}

// ground refuses what was left of a flight: the node stops.
func (l *lead) ground(key enlistKey, f *flight) {
	for _, a := range l.take(key, f) {
		a.done(nil, broker.Refuse(broker.CodeShuttingDown, "append", a.r.Partition.String()))
	}
}
