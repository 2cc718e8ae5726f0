package routing

import (
	"math/bits"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// consistentMatcher gives every key to one destination, each to as large a part of the keys as its weight says. A
// destination that comes takes keys from all others and no two of them exchange any; one that goes leaves its own.
type consistentMatcher struct {
	header, property string     // what is hashed, if not the routing key
	to               []weighted // sorted
}

type weighted struct {
	Destination
	hash   uint64
	weight uint64 // of all its bindings together
}

func newConsistentMatcher(x *Exchange) *consistentMatcher {
	header, _ := find(x.Arguments, argumentHashHeader)
	property, _ := find(x.Arguments, argumentHashProperty)
	return &consistentMatcher{header: header.Text, property: property.Text}
}

// hashProperty says whether a property of that name can be hashed.
func hashProperty(name string) bool {
	return slices.Contains([]string{"correlation_id", "message_id", "timestamp"}, name)
}

// parseWeight reads the weight that is the key of a binding.
func parseWeight(key string) (uint64, error) {
	n, err := strconv.ParseInt(key, 10, 64)
	switch {
	case err != nil:
		return 0, refuse(InvalidArgument, "The binding key must be an integer: %q", key)
	case n < 1:
		return 0, refuse(InvalidArgument, "The binding key must be greater than 0")
	case n > weightMax:
		return 0, refuse(InvalidArgument, "The binding key must be at most %d", weightMax)
	}
	return uint64(n), nil
}

func (x *consistentMatcher) find(d Destination) (int, bool) {
	return slices.BinarySearchFunc(x.to, d, func(w weighted, d Destination) int { return compareDestinations(w.Destination, d) })
}

func (x *consistentMatcher) add(b *Binding) {
	weight, _ := parseWeight(b.Key) // it was validated
	i, found := x.find(b.Destination)
	if !found {
		x.to = slices.Insert(x.to, i, weighted{Destination: b.Destination, hash: xxhash.Sum64String(b.Destination.String())})
	}
	x.to[i].weight += weight
}

func (x *consistentMatcher) remove(b *Binding) {
	weight, _ := parseWeight(b.Key)
	i, _ := x.find(b.Destination)
	x.to[i].weight -= weight
	if x.to[i].weight == 0 {
		x.to = slices.Delete(x.to, i, i+1)
	}
}

// match is weighted rendezvous hashing, in integers, so that every machine comes to the same result: each destination
// draws a number u out of (0, 1) from its own hash and the key's, and the largest weight / −log u wins.
func (x *consistentMatcher) match(m *Message, w *Walk) {
	if len(x.to) == 0 {
		return
	}
	key, best, bestCost := xxhash.Sum64String(x.hashed(m)), 0, uint64(0)
	for i := range x.to {
		cost := negativeLog(mix(key ^ x.to[i].hash))
		// weight / cost > best's, without a division.
		if i == 0 || lessProduct(x.to[best].weight, cost, x.to[i].weight, bestCost) {
			best, bestCost = i, cost
		}
	}
	w.to(x.to[best].Destination)
}

// hashed is what decides. What a message does not have is hashed as the empty text.
func (x *consistentMatcher) hashed(m *Message) string {
	switch {
	case x.header != "":
		v, ok := find(m.Headers, x.header)
		if !ok {
			return ""
		}
		return v.String()
	case x.property == "correlation_id":
		return m.CorrelationID
	case x.property == "message_id":
		return m.MessageID
	case x.property == "timestamp":
		return m.Timestamp
	}
	return m.Key
}

// lessProduct says whether a×b < c×d.
func lessProduct(a, b, c, d uint64) bool {
	high1, low1 := bits.Mul64(a, b)
	high2, low2 := bits.Mul64(c, d)
	return high1 < high2 || high1 == high2 && low1 < low2
}

// mix spreads the bits of a number over all of it (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// negativeLog is −log2(u / 2^64) with 32 bits behind the point, at least 1: the bits of the logarithm of a number
// between 1 and 2 come out one by one as it is squared.
func negativeLog(u uint64) uint64 {
	u = max(u, 1)
	zeros := bits.LeadingZeros64(u)
	x, fraction := u<<zeros, uint64(0) // x has one bit before the point
	for range 32 {
		square, _ := bits.Mul64(x, x) // two bits before the point
		fraction <<= 1
		if square>>63 != 0 {
			fraction |= 1
			x = square
		} else {
			x = square << 1
		}
	}
	return 64<<32 - (uint64(63-zeros)<<32 | fraction)
}

// modulusMatcher gives every key to one destination, whatever the binding keys are. When a destination comes or goes, most
// keys change theirs: that is the type's nature.
type modulusMatcher struct {
	to []countedDestination // sorted
}

func (x *modulusMatcher) find(d Destination) (int, bool) {
	return slices.BinarySearchFunc(x.to, d, func(c countedDestination, d Destination) int { return compareDestinations(c.Destination, d) })
}

func (x *modulusMatcher) add(b *Binding) {
	i, found := x.find(b.Destination)
	if !found {
		x.to = slices.Insert(x.to, i, countedDestination{Destination: b.Destination})
	}
	x.to[i].bindings++
}

func (x *modulusMatcher) remove(b *Binding) {
	i, _ := x.find(b.Destination)
	x.to[i].bindings--
	if x.to[i].bindings == 0 {
		x.to = slices.Delete(x.to, i, i+1)
	}
}

func (x *modulusMatcher) match(m *Message, w *Walk) {
	if len(x.to) == 0 {
		return
	}
	digest := xxhash.New()
	for i := 0; ; i++ {
		k, ok := m.key(i)
		if !ok {
			break
		}
		_, _ = digest.WriteString(k)
		_, _ = digest.Write([]byte{0})
	}
	w.to(x.to[digest.Sum64()%uint64(len(x.to))].Destination)
}
