package queueing

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/internal/invariant"
)

// order is what a queue that keeps the order of keys knows beside its messages. Each message has a key. One message of a key at most is
// busy: acquired, held by a transaction, or parked; and no ready message of the key is older than it. So of a key's ready messages the first
// one alone may be delivered, and only while none is busy.
//
// The cursor of such a queue passes messages that may not be delivered yet: they wait with their key. So what a key waits for never keeps
// those of others, and each message is passed once.
type order struct {
	keys   map[string]*key
	free   heap[sequence] // the first waiting message of each key that has none busy; others in it are stale
	passed heap[sequence] // ready messages before the cursor; those in it without listed are stale
	times  heap[timing]   // ready messages that expire; those in it without timed are stale
}

// key is one key of an ordered queue, as long as a message of it lives.
type key struct {
	text    string
	live    int      // messages that are not gone
	busy    uint64   // the one that is acquired, held or parked; 0: none
	back    uint64   // was busy and is ready again: before all in waiting
	waiting []uint64 // that the cursor passed, rising; those that are not ready any more are passed over
	free    uint64   // the one that lies in free for it; 0: none
}

// keyOf shortens what is too long for a key, so that what differs still does.
func keyOf(text string) string {
	if len(text) <= keyBytesMax {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return text[:keyBytesMax-2*sha256.Size] + hex.EncodeToString(sum[:])
}

// intern is the key of a message that comes.
func (o *order) intern(text string) *key {
	text = keyOf(text)
	k := o.keys[text]
	if k == nil {
		k = &key{text: strings.Clone(text)}
		o.keys[k.text] = k
	}
	k.live++
	return k
}

// first is the oldest ready message of a key that the cursor passed; 0 if there is none.
func (l *line) firstOf(k *key) uint64 {
	if k.back != 0 {
		return k.back
	}
	for len(k.waiting) > 0 && l.stateOf(k.waiting[0]) != ready {
		k.waiting = k.waiting[1:]
	}
	if len(k.waiting) == 0 {
		k.waiting = nil
		return 0
	}
	return k.waiting[0]
}

// offer lets a key's first waiting message be delivered if none is busy.
func (l *line) offer(k *key) {
	k.free = 0
	if k.busy != 0 {
		return
	}
	if k.free = l.firstOf(k); k.free != 0 {
		l.order.free.push(sequence(k.free))
	}
}

// deliverable is the oldest message that may be delivered; 0 if there is none. On its way it passes those that may not.
func (l *line) deliverable() uint64 {
	o := l.order
	for len(o.free) > 0 {
		if s := uint64(o.free[0]); l.stateOf(s) == ready && l.key(s).free == s {
			return s
		}
		o.free.pop()
	}
	for ; l.cursor < l.next; l.cursor++ {
		if l.stateOf(l.cursor) != ready {
			continue // it expired, or was too much
		}
		k := l.key(l.cursor)
		if k.busy == 0 && l.firstOf(k) == 0 {
			return l.cursor
		}
		k.waiting = append(k.waiting, l.cursor)
		l.list(l.cursor)
	}
	return 0
}

// list notes a ready message before the cursor.
func (l *line) list(s uint64) {
	if x := l.at(s); !x.listed {
		x.listed = true
		l.order.passed.push(sequence(s))
	}
}

// oldestOrdered is the oldest ready message, whether it may be delivered or not; 0 if there is none.
func (l *line) oldestOrdered() uint64 {
	o := l.order
	for len(o.passed) > 0 {
		s := uint64(o.passed[0])
		if l.stateOf(s) == ready {
			return s
		}
		if o.passed.pop(); l.stateOf(s) != gone {
			l.at(s).listed = false
		}
	}
	for s := l.cursor; s < l.next; s++ {
		if l.stateOf(s) == ready {
			return s
		}
	}
	return 0
}

// overdueOrdered is a ready message whose time is over; 0 if there is none.
func (l *line) overdueOrdered(clock uint64) uint64 {
	o := l.order
	for len(o.times) > 0 && o.times[0].expiry < clock {
		s := o.times[0].sequence
		if l.stateOf(s) == ready {
			return s
		}
		if o.times.pop(); l.stateOf(s) != gone {
			l.at(s).timed = false
		}
	}
	return 0
}

// due says whether a message's time may be over.
func (o *order) due(clock uint64) bool { return len(o.times) > 0 && o.times[0].expiry < clock }

// time notes when a ready message expires, if it does.
func (l *line) time(s uint64) {
	x, o := l.at(s), l.order
	if x.expiry == 0 || x.timed {
		return
	}
	x.timed = true
	o.times.push(timing{x.expiry, s})
	if len(o.times) > 2*l.ready+timesSlack { // nearly all of them are stale
		l.timeAgain()
	}
}

// timeAgain notes anew when each ready message expires.
func (l *line) timeAgain() {
	l.order.times = nil
	for s, x := range l.all() {
		if x.timed = x.state == ready && x.expiry != 0 && !l.isDoomed(s); x.timed {
			l.order.times.push(timing{x.expiry, s})
		}
	}
}

func (l *line) isDoomed(s uint64) bool {
	i, found := slices.BinarySearchFunc(l.doomed, s, func(d span, s uint64) int { return cmp.Compare(d.from, s) })
	return found || i > 0 && s < l.doomed[i-1].to
}

// leaveReady takes a message off those that wait with its key, before it is something else than ready.
func (l *line) leaveReady(s uint64) {
	k := l.key(s)
	switch {
	case k.back == s:
		k.back = 0
	case len(k.waiting) > 0 && k.waiting[0] == s:
		k.waiting = k.waiting[1:]
	case s == l.cursor:
		l.cursor++
		return
	default:
		return // it is passed over later
	}
	l.offer(k)
}

// take makes a message that was popped its key's busy one.
func (l *line) take(s uint64) {
	if l.order == nil {
		return
	}
	k := l.key(s)
	invariant.Check(k.busy == 0, "BUG: queue %d: #%d is delivered while #%d of its key is busy", l.id, s, k.busy)
	k.busy, k.free = s, 0
}

// comeBack makes a key's busy message ready again: it is before all that wait.
func (l *line) comeBack(s uint64) {
	k := l.key(s)
	k.back = s
	l.list(s)
	l.time(s)
	l.release(s)
}

// release lets a key go on if a message was its busy one, and is gone, dying, or ready again.
func (l *line) release(s uint64) {
	if l.order == nil {
		return
	}
	if k := l.key(s); k.busy == s {
		k.busy = 0
		l.offer(k)
	}
}

// leaveKey is release for a message that is about to be gone; with the last one the key goes.
func (l *line) leaveKey(s uint64) {
	if l.order == nil {
		return
	}
	l.release(s)
	k := l.key(s)
	if k.live--; k.live == 0 {
		delete(l.order.keys, k.text)
	}
}

// forgetReady lets all ready messages be doomed.
func (o *order) forgetReady() {
	for _, k := range o.keys { //lint:sorted each on its own
		k.back, k.free, k.waiting = 0, 0, nil
	}
	o.free, o.passed, o.times = nil, nil, nil
}

// doom marks all ready messages as purged, and says which.
func (l *line) doom() {
	if l.order != nil {
		l.order.forgetReady()
	}
	l.ranked, l.doomed = nil, nil
	for s, x := range l.all() {
		x.listed, x.timed = false, false
		if x.state != ready {
			continue
		}
		if n := len(l.doomed); n > 0 && l.doomed[n-1].to == s {
			l.doomed[n-1].to++
		} else {
			l.doomed = append(l.doomed, span{s, s + 1})
		}
	}
	l.cursor = l.next
}

// settleOrder counts what was loaded, as settleIn does.
func (l *line) settleOrder() {
	for s, x := range l.all() {
		k := l.key(s)
		switch {
		case x.state == acquired || x.state == held || x.state == parked:
			k.busy = s
		case x.state == ready && s < l.cursor && !l.isDoomed(s):
			k.waiting = append(k.waiting, s)
			l.list(s)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(l.order.keys)) {
		l.offer(l.order.keys[t])
	}
	l.timeAgain()
}

func (l *line) describeKeys(w *strings.Builder) {
	if l.order == nil {
		return
	}
	for _, t := range slices.Sorted(maps.Keys(l.order.keys)) {
		k := l.order.keys[t]
		fmt.Fprintf(w, "  key %q: %d live, #%d is busy, #%d waits\n", t, k.live, k.busy, l.firstOf(k))
	}
}
