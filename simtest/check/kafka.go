package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// The anomalies.
const (
	InconsistentOffsets = "inconsistent-offsets"
	Duplicate           = "duplicate"
	LostWrite           = "lost-write"
	Unseen              = "unseen"
	AbortedRead         = "G1a"
	Phantom             = "phantom"
	WrongPartition      = "wrong-partition"
	NonmonotonicSend    = "nonmonotonic-send"
	NonmonotonicPoll    = "nonmonotonic-poll"
	PollSkip            = "poll-skip"
	Gap                 = "gap"
	OffsetWentBack      = "committed-offset-went-back"
	PhantomOffset       = "phantom-committed-offset"
	StaleEnd            = "stale-end-offset"
	StartWentBack       = "log-start-went-back"
	SharedAssignment    = "shared-assignment"
	Divergence          = "divergence"
)

// Kafka looks for every anomaly.
func Kafka(h *History) []Violation {
	c := &checker{h: h, index: newIndex(h), starts: newStarts(h)}
	c.offsets()
	c.lost()
	c.sends()
	c.polls()
	c.committed()
	c.ends()
	c.logStarts()
	c.groups()
	c.replicas()
	return c.found
}

// checker collects violations.
type checker struct {
	h      *History
	index  *index
	starts starts
	found  []Violation
}

func (c *checker) violation(anomaly, where, format string, args ...any) {
	c.found = append(c.found, Violation{anomaly, where, fmt.Sprintf(format, args...)})
}

// sortedKeys lists keys in order, so that reports do not depend on maps.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
