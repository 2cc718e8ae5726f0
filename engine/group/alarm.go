package group

import "container/heap"

// alarm is one timer of a group or a member. It is in the coordinator's heap while it is set.
type alarm struct {
	at    int64 // ms
	order uint64
	place int // in the heap, from 1; 0: not set
	fire  func()
}

// alarms is a heap by time, then by the order in which they were set, so that equal times fire in one order everywhere.
type alarms struct {
	heap  []*alarm
	order uint64
}

func (a *alarms) Len() int { return len(a.heap) }
func (a *alarms) Less(i, j int) bool {
	x, y := a.heap[i], a.heap[j]
	return x.at < y.at || x.at == y.at && x.order < y.order
}
func (a *alarms) Swap(i, j int) {
	a.heap[i], a.heap[j] = a.heap[j], a.heap[i]
	a.heap[i].place, a.heap[j].place = i+1, j+1
}
func (a *alarms) Push(x any) {
	al := x.(*alarm)
	a.heap = append(a.heap, al)
	al.place = len(a.heap)
}
func (a *alarms) Pop() any {
	al := a.heap[len(a.heap)-1]
	a.heap = a.heap[:len(a.heap)-1]
	al.place = 0
	return al
}

// set makes the alarm fire at that time, whatever it was set to before.
func (a *alarms) set(al *alarm, at int64, fire func()) {
	a.order++
	al.at, al.order, al.fire = at, a.order, fire
	if al.place > 0 {
		heap.Fix(a, al.place-1)
		return
	}
	heap.Push(a, al)
}

// stop makes sure that the alarm does not fire.
func (a *alarms) stop(al *alarm) {
	if al.place > 0 {
		heap.Remove(a, al.place-1)
	}
}

// next is when the earliest alarm fires.
func (a *alarms) next() (int64, bool) {
	if len(a.heap) == 0 {
		return 0, false
	}
	return a.heap[0].at, true
}

// due takes the earliest alarm if its time has come.
func (a *alarms) due(now int64) (*alarm, bool) {
	if at, ok := a.next(); !ok || at > now {
		return nil, false
	}
	return heap.Pop(a).(*alarm), true
}
