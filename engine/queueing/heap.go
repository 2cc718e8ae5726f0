package queueing

// element is what a heap is made of.
type element[T any] interface{ before(T) bool }

var _, _, _ = element[sequence](sequence(0)), element[timing](timing{}), element[rank](rank{})

// heap is a binary heap, the first in front.
type heap[T element[T]] []T

// sequence is a message's number, as an element of a heap.
type sequence uint64

func (s sequence) before(t sequence) bool { return s < t }

// timing is when a message expires.
type timing struct{ expiry, sequence uint64 }

func (a timing) before(b timing) bool {
	return a.expiry < b.expiry || a.expiry == b.expiry && a.sequence < b.sequence
}

// rank is a ready message's place in a queue with priorities: the highest first, and of one priority the oldest.
type rank struct {
	below    uint8 // how far its priority is below the highest that there can be
	sequence uint64
}

func (a rank) before(b rank) bool {
	return a.below < b.below || a.below == b.below && a.sequence < b.sequence
}

func (h *heap[T]) push(x T) {
	a := append(*h, x)
	for i := len(a) - 1; i > 0; {
		parent := (i - 1) / 2
		if !a[i].before(a[parent]) {
			break
		}
		a[parent], a[i] = a[i], a[parent]
		i = parent
	}
	*h = a
}

// pop takes the first off.
func (h *heap[T]) pop() {
	a := *h
	last := len(a) - 1
	a[0] = a[last]
	a = a[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(a) {
			break
		}
		if child+1 < len(a) && a[child+1].before(a[child]) {
			child++
		}
		if !a[child].before(a[i]) {
			break
		}
		a[i], a[child] = a[child], a[i]
		i = child
	}
	*h = a
}
