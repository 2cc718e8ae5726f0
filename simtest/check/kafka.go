package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Options say what more to look for.
type Options struct {
	// WWDeps infers that of two records of a partition the writer of the earlier
	// came before the writer of the later. Kafka's writes are not isolated, so cycles
	// with such edges (G0, G1c) are reported and fail nothing, as in Jepsen.
	WWDeps bool
	// AntiDependencies infers that who read up to a record came before the writer
	// of the next (G-single, G2). A poll need not return all there is, so they are
	// reported and fail nothing.
	AntiDependencies bool
}

// An Analysis is what the judges found.
type Analysis struct {
	Violations []Violation
	Lag        Lag // the worst
}

// Failing returns the violations that fail a test.
func (a *Analysis) Failing() []Violation {
	var failing []Violation
	for _, v := range a.Violations {
		if !v.Reported {
			failing = append(failing, v)
		}
	}
	return failing
}

// Kafka returns all violations that fail a test.
func Kafka(h *History) []Violation { return Judge(h, Options{}).Failing() }

// Judge looks for every anomaly.
func Judge(h *History, o Options) *Analysis {
	c := &checker{h: h, options: o, index: newIndex(h), starts: newStarts(h), counts: map[string]int{}}
	c.sound()
	c.offsets()
	c.lost()
	c.tombstones()
	c.cameBack()
	c.sends()
	c.polls()
	c.cycles()
	c.ends()
	c.logStarts()
	c.committed()
	c.assignments()
	c.fencing()
	c.exactlyOnce()
	c.replicas()
	c.more()
	return &Analysis{Violations: c.found, Lag: c.worstLag()}
}

// checker collects violations.
type checker struct {
	h       *History
	options Options
	index   *index
	starts  starts
	found   []Violation
	counts  map[string]int // of each anomaly
}

// violation notes one that fails the test.
func (c *checker) violation(anomaly, where, format string, args ...any) {
	c.note(anomaly, where, false, format, args...)
}

// report notes one that is allowed.
func (c *checker) report(anomaly, where, format string, args ...any) {
	c.note(anomaly, where, true, format, args...)
}

func (c *checker) note(anomaly, where string, reported bool, format string, args ...any) {
	key := anomaly
	if reported {
		key += " reported"
	}
	if c.counts[key]++; c.counts[key] <= violationsMax {
		c.found = append(c.found, Violation{anomaly, where, fmt.Sprintf(format, args...), reported})
	}
}

// more says how many violations were found beyond those that are listed.
func (c *checker) more() {
	told := map[string]bool{}
	for _, v := range slices.Clone(c.found) {
		key := v.Anomaly
		if v.Reported {
			key += " reported"
		}
		if n := c.counts[key]; n > violationsMax && !told[key] {
			told[key] = true
			c.found = append(c.found, Violation{v.Anomaly, "all", fmt.Sprintf("%d more", n-violationsMax), v.Reported})
		}
	}
}

// sortedKeys lists keys in order, so that reports do not depend on maps.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
