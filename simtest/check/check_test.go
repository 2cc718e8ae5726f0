package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// simple is a correct broker of two partitions that is asked by a few clients one
// after another; calls overlap only as far as their spans are drawn to.
type simple struct {
	rng  *rand.Rand
	now  time.Duration
	h    History
	logs map[string][]string
	next map[string]int
}

func (m *simple) span() Span {
	m.now += time.Duration(1 + m.rng.IntN(1000))
	s := Span{Call: m.now}
	m.now += time.Duration(1 + m.rng.IntN(1000))
	s.Return = m.now
	return s
}

// clean makes a history that a correct system can produce.
func clean(seed uint64, sends int) *History {
	m := &simple{rng: rand.New(rand.NewPCG(seed, 1)), logs: map[string][]string{}, next: map[string]int{}}
	m.h.Dense = true
	committed := map[string]int64{}
	partitions := []string{"t/0", "t/1"}
	for i := range sends {
		m.send(i, partitions[m.rng.IntN(2)], fmt.Sprintf("p%d", m.rng.IntN(3)))
		p := partitions[m.rng.IntN(2)]
		switch m.rng.IntN(4) {
		case 0:
			m.h.Ends = append(m.h.Ends, End{Span: m.span(), Partition: p, Offset: int64(len(m.logs[p]))})
		case 1:
			if n := int64(len(m.logs[p])); n > committed[p] {
				committed[p] = n
				m.h.Commits = append(m.h.Commits, Commit{Span: m.span(), Group: "g", Partition: p, Offset: n})
			}
		case 2:
			offset := int64(-1)
			if committed[p] > 0 {
				offset = committed[p]
			}
			m.h.Fetches = append(m.h.Fetches, Fetch{Span: m.span(), Group: "g", Partition: p, Offset: offset})
		}
	}
	for _, p := range partitions {
		for _, consumer := range []string{"c1", "c2"} {
			from := 0
			if consumer == "c2" {
				from = m.rng.IntN(len(m.logs[p]) + 1)
			}
			m.read(consumer, p, from, consumer == "c1")
		}
		m.h.Drained = append(m.h.Drained, p)
	}
	for g := range 3 {
		m.h.Assignments = append(m.h.Assignments,
			Assignment{Group: "g", Generation: g, Member: "m1", Partitions: []string{"t/0"}}, Assignment{Group: "g", Generation: g, Member: "m2", Partitions: []string{"t/1"}})
		for _, r := range []string{"r1", "r2", "r3"} {
			m.h.Digests = append(m.h.Digests, Digest{"s1", r, uint64(g), uint64(g) * 77})
		}
	}
	return &m.h
}

func (m *simple) send(i int, partition, producer string) {
	s := Send{Span: m.span(), Producer: producer, Sequence: m.next[producer+partition], Partition: partition, Value: fmt.Sprintf("v%d", i), Offset: -1}
	m.next[producer+partition]++
	stored := true
	switch m.rng.IntN(10) {
	case 0:
		s.Outcome, stored = Unknown, m.rng.IntN(2) == 0
	case 1:
		s.Outcome, stored = Failed, false
	}
	if stored {
		if s.Outcome == OK {
			s.Offset = int64(len(m.logs[partition]))
		}
		m.logs[partition] = append(m.logs[partition], s.Value)
	}
	m.h.Sends = append(m.h.Sends, s)
}

func (m *simple) read(consumer, partition string, from int, final bool) {
	for o, v := range m.logs[partition] {
		if o >= from {
			m.h.Reads = append(m.h.Reads, Read{At: m.now, Consumer: consumer, Partition: partition, Offset: int64(o), Value: v, Final: final})
		}
	}
}

func TestCleanHistoriesPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := clean(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 120).Draw(t, "sends"))
		if v := Kafka(h); len(v) > 0 {
			t.Fatalf("a clean history has violations: %v", v)
		}
	})
}

// firstOK returns the index of an acknowledged send in the middle of a partition.
func firstOK(h *History) int {
	for i := len(h.Sends) / 3; i < len(h.Sends); i++ {
		if s := h.Sends[i]; s.Outcome == OK && s.Offset > 2 {
			return i
		}
	}
	panic("no such send")
}

func dropReads(h *History, drop func(r Read) bool) { h.Reads = slices.DeleteFunc(h.Reads, drop) }

// planted are the ways to break a clean history, and the anomaly that each is.
var planted = []struct {
	name    string
	anomaly string
	plant   func(h *History)
}{
	{"acknowledged and gone", Unseen, func(h *History) {
		v := h.Sends[firstOK(h)].Value
		dropReads(h, func(r Read) bool { return r.Value == v })
	}},
	{"acknowledged, passed over", LostWrite, func(h *History) {
		v := h.Sends[firstOK(h)].Value
		h.Drained = nil
		dropReads(h, func(r Read) bool { return r.Value == v })
	}},
	{"acknowledged and gone from the end", Unseen, func(h *History) {
		last := map[string]int64{}
		for _, s := range h.Sends {
			if s.Outcome == OK {
				last[s.Partition] = max(last[s.Partition], s.Offset)
			}
		}
		dropReads(h, func(r Read) bool { return r.Offset >= last[r.Partition] })
	}},
	{"hole in the log", Gap, func(h *History) {
		v := h.Sends[firstOK(h)].Value
		dropReads(h, func(r Read) bool { return r.Value == v })
	}},
	{"stored twice by a retry", Duplicate, func(h *History) {
		s := h.Sends[firstOK(h)]
		for i := range h.Reads {
			if r := &h.Reads[i]; r.Partition == s.Partition && r.Offset == s.Offset+1 {
				r.Value = s.Value
			}
		}
	}},
	{"unknown outcome stored twice", Duplicate, func(h *History) {
		s := &h.Sends[firstOK(h)]
		at := s.Offset
		s.Outcome, s.Offset = Unknown, -1
		for i := range h.Reads {
			if r := &h.Reads[i]; r.Partition == s.Partition && r.Offset == at-1 {
				r.Value = s.Value
			}
		}
	}},
	{"two consumers see two logs", InconsistentOffsets, func(h *History) {
		for i := range h.Reads {
			if r := &h.Reads[i]; r.Consumer == "c1" && r.Offset == 3 {
				h.Reads = append(h.Reads, Read{Consumer: "c3", Partition: r.Partition, Offset: 3, Value: h.Reads[i+1].Value})
				return
			}
		}
	}},
	{"told another offset than it has", InconsistentOffsets, func(h *History) { h.Sends[firstOK(h)].Offset-- }},
	{"two sends of a producer swapped", NonmonotonicSend, func(h *History) {
		a := firstOK(h)
		for b := a + 1; b < len(h.Sends); b++ {
			x, y := &h.Sends[a], &h.Sends[b]
			if x.Producer == y.Producer && x.Partition == y.Partition && y.Outcome == OK {
				x.Offset, y.Offset = y.Offset, x.Offset
				for i := range h.Reads {
					switch r := &h.Reads[i]; r.Value {
					case x.Value:
						r.Value = y.Value
					case y.Value:
						r.Value = x.Value
					}
				}
				return
			}
		}
	}},
	{"refused but stored", AbortedRead, func(h *History) { h.Sends[firstOK(h)].Outcome = Failed }},
	{"made up by the broker", Phantom, func(h *History) {
		h.Reads = append(h.Reads, Read{Consumer: "c9", Partition: "t/0", Offset: 1 << 20, Value: "made up"})
	}},
	{"in the wrong partition", WrongPartition, func(h *History) {
		s := &h.Sends[firstOK(h)]
		s.Outcome, s.Offset = Unknown, -1
		s.Partition = map[string]string{"t/0": "t/1", "t/1": "t/0"}[s.Partition]
	}},
	{"a consumer goes back", NonmonotonicPoll, func(h *History) {
		r := h.Reads[4]
		h.Reads = slices.Insert(h.Reads, 6, r)
	}},
	{"a consumer skips", PollSkip, func(h *History) { h.Reads = slices.Delete(h.Reads, 4, 5) }},
	{"a dense log is skipped by all", PollSkip, func(h *History) {
		v := h.Reads[4].Value
		h.Sends = slices.DeleteFunc(h.Sends, func(s Send) bool { return s.Value == v })
		dropReads(h, func(r Read) bool { return r.Value == v })
	}},
	{"a committed offset falls", OffsetWentBack, func(h *History) {
		last := h.Commits[len(h.Commits)-1]
		h.Commits = append(h.Commits, Commit{Span: Span{1, 2}, Group: "g", Partition: last.Partition, Offset: 0})
		h.Fetches = append(h.Fetches, Fetch{Span: Span{last.Return + 1, last.Return + 2}, Group: "g", Partition: last.Partition, Offset: 0})
	}},
	{"a committed offset is forgotten", OffsetWentBack, func(h *History) {
		last := h.Commits[len(h.Commits)-1]
		h.Fetches = append(h.Fetches, Fetch{Span: Span{last.Return + 1, last.Return + 2}, Group: "g", Partition: last.Partition, Offset: -1})
	}},
	{"a late commit of a zombie", OffsetWentBack, func(h *History) {
		last := h.Commits[len(h.Commits)-1]
		at := last.Return
		h.Fetches = append(h.Fetches, Fetch{Span: Span{at + 1, at + 2}, Group: "g", Partition: last.Partition, Offset: last.Offset})
		h.Commits = append(h.Commits, Commit{Span: Span{at + 3, at + 4}, Group: "g", Partition: last.Partition, Offset: 0})
		h.Fetches = append(h.Fetches, Fetch{Span: Span{at + 5, at + 6}, Group: "g", Partition: last.Partition, Offset: 0})
	}},
	{"an offset nobody committed", PhantomOffset, func(h *History) {
		h.Fetches = append(h.Fetches, Fetch{Span: Span{1, 2}, Group: "g", Partition: "t/0", Offset: 1 << 20})
	}},
	{"a stale leader answers the end", StaleEnd, func(h *History) {
		s := h.Sends[firstOK(h)]
		h.Ends = append(h.Ends, End{Span: Span{s.Return + 1, s.Return + 2}, Partition: s.Partition, Offset: s.Offset})
	}},
	{"the end falls", StaleEnd, func(h *History) {
		h.Ends = append(h.Ends, End{Span: Span{1 << 40, 1<<40 + 1}, Partition: "t/9", Offset: 5}, End{Span: Span{1<<40 + 2, 1<<40 + 3}, Partition: "t/9", Offset: 4})
	}},
	{"the log start falls", StartWentBack, func(h *History) {
		h.Starts = append(h.Starts, Start{Span{1 << 40, 1<<40 + 1}, "t/0", 5}, Start{Span{1<<40 + 2, 1<<40 + 3}, "t/0", 4})
	}},
	{"skipped before it was deleted", PollSkip, func(h *History) {
		skipped := h.Reads[4]
		h.Starts = append(h.Starts, Start{Span{1 << 40, 1<<40 + 1}, skipped.Partition, 0},
			Start{Span{1<<40 + 2, 1<<40 + 3}, skipped.Partition, skipped.Offset + 1})
		h.Reads = slices.Delete(h.Reads, 4, 5)
	}},
	{"two members share a partition", SharedAssignment, func(h *History) {
		h.Assignments = append(h.Assignments, Assignment{Group: "g", Generation: 1, Member: "m3", Partitions: []string{"t/1"}})
	}},
	{"a replica diverges", Divergence, func(h *History) { h.Digests[4].Sum++ }},
}

// TestPlantedViolationsAreFound: each, in many histories, and without it the same
// history is clean.
func TestPlantedViolationsAreFound(t *testing.T) {
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			for seed := uint64(0); seed < 50; seed++ {
				if v := Kafka(clean(seed, 150)); len(v) > 0 {
					t.Fatalf("seed %d is not clean: %v", seed, v)
				}
				h := clean(seed, 150)
				p.plant(h)
				got := Kafka(h)
				if !slices.ContainsFunc(got, func(v Violation) bool { return v.Anomaly == p.anomaly }) {
					t.Fatalf("seed %d: want %s, got %v", seed, p.anomaly, got)
				}
			}
		})
	}
}

// TestEveryAnomalyIsPlanted: no definition without a history that shows it.
func TestEveryAnomalyIsPlanted(t *testing.T) {
	all := []string{
		InconsistentOffsets, Duplicate, LostWrite, Unseen, AbortedRead, Phantom, WrongPartition, NonmonotonicSend,
		NonmonotonicPoll, PollSkip, Gap, OffsetWentBack, PhantomOffset, StaleEnd, StartWentBack, SharedAssignment, Divergence,
	}
	for _, a := range all {
		found := false
		for _, p := range planted {
			found = found || p.anomaly == a
		}
		if !found {
			t.Errorf("no history shows %s", a)
		}
	}
}

// tombstone is three sends of a producer: a key, what deletes it, and another.
func tombstone(o Outcome, offset int64) []Send {
	return []Send{
		{Span: Span{1, 2}, Producer: "p", Partition: "t", Value: "a", Key: "k", Offset: 0},
		{Span: Span{3, 4}, Producer: "p", Sequence: 1, Partition: "t", Value: "b", Key: "k", Tombstone: true, Outcome: o, Offset: offset},
		{Span: Span{5, 6}, Producer: "p", Sequence: 2, Partition: "t", Value: "c", Key: "l", Offset: 2},
	}
}

// TestAllowed: histories that look odd and are legal.
func TestAllowed(t *testing.T) {
	at := func(a, b int) Span { return Span{time.Duration(a), time.Duration(b)} }
	for name, h := range map[string]*History{
		"an unknown send is stored": {
			Sends: []Send{{Span: at(1, 2), Producer: "p", Partition: "t", Value: "a", Outcome: Unknown, Offset: -1}},
			Reads: []Read{{Consumer: "c", Partition: "t", Offset: 0, Value: "a", Final: true}}, Drained: []string{"t"}, Dense: true,
		},
		"an unknown send is not stored": {
			Sends:   []Send{{Span: at(1, 2), Producer: "p", Partition: "t", Value: "a", Outcome: Unknown, Offset: -1}},
			Drained: []string{"t"}, Dense: true,
		},
		"a documented rewind": {
			Commits: []Commit{
				{Span: at(1, 2), Group: "g", Partition: "t", Offset: 9},
				{Span: at(5, 6), Group: "g", Partition: "t", Offset: 3, Rewind: true},
			},
			Fetches: []Fetch{{at(3, 4), "g", "t", 9, false}, {at(7, 8), "g", "t", 3, false}},
		},
		"a fetch that overlaps a commit sees either": {
			Commits: []Commit{{Span: at(1, 2), Group: "g", Partition: "t", Offset: 1}, {Span: at(3, 9), Group: "g", Partition: "t", Offset: 2}},
			Fetches: []Fetch{{at(4, 5), "g", "t", 1, false}, {at(6, 7), "g", "t", 2, false}},
		},
		"a commit of unknown outcome happens later": {
			Commits: []Commit{
				{Span: at(1, 2), Group: "g", Partition: "t", Offset: 1, Outcome: Unknown},
				{Span: at(3, 4), Group: "g", Partition: "t", Offset: 2},
			},
			Fetches: []Fetch{{at(5, 6), "g", "t", 2, false}, {at(7, 8), "g", "t", 1, false}},
		},
		"a new session reads again": {
			Sends: []Send{{Span: at(1, 2), Producer: "p", Partition: "t", Value: "a", Offset: 0}},
			Reads: []Read{{Consumer: "c", Partition: "t", Value: "a"}, {Consumer: "c", Session: 1, Partition: "t", Value: "a"}},
		},
		"deleted before it was read": {
			Sends: []Send{
				{Span: at(1, 2), Producer: "p", Partition: "t", Value: "a", Offset: 0},
				{Span: at(3, 4), Producer: "p", Sequence: 1, Partition: "t", Value: "b", Offset: 1},
				{Span: at(5, 6), Producer: "p", Sequence: 2, Partition: "t", Value: "c", Offset: 2},
			},
			Reads: []Read{
				{At: 3, Consumer: "c", Partition: "t", Value: "a"}, {At: 9, Consumer: "c", Partition: "t", Offset: 2, Value: "c"},
				{At: 20, Consumer: "f", Partition: "t", Offset: 2, Value: "c", Final: true},
			},
			Starts: []Start{{at(2, 3), "t", 0}, {at(10, 11), "t", 2}}, Drained: []string{"t"}, Dense: true,
		},
		"too slow for a tombstone": {
			Sends:     tombstone(OK, 1),
			Reads:     []Read{{At: 7, Since: 6, Consumer: "c", Partition: "t", Value: "a"}, {At: 26, Since: 6, Consumer: "c", Partition: "t", Offset: 2, Value: "c"}},
			Compacted: []string{"t"}, TombstonesStay: 20,
		},
		"a tombstone whose key came again": {
			Sends:     append(tombstone(OK, 1), Send{Span: at(7, 8), Producer: "p", Sequence: 3, Partition: "t", Value: "d", Key: "k", Offset: 3}),
			Reads:     []Read{{At: 7, Since: 6, Consumer: "c", Partition: "t", Value: "a"}, {At: 9, Since: 6, Consumer: "c", Partition: "t", Offset: 2, Value: "c"}},
			Compacted: []string{"t"}, TombstonesStay: 20,
		},
		"a tombstone of unknown outcome did its work": {
			Sends:   tombstone(Unknown, -1),
			Reads:   []Read{{At: 50, Since: 49, Consumer: "c", Partition: "t", Offset: 2, Value: "c", Final: true}},
			Drained: []string{"t"}, Compacted: []string{"t"}, TombstonesStay: 20, Dense: true,
		},
		"holes where markers are": {
			Sends: []Send{
				{Span: at(1, 2), Producer: "p", Partition: "t", Value: "a", Offset: 0},
				{Span: at(3, 4), Producer: "p", Sequence: 1, Partition: "t", Value: "b", Offset: 2},
			},
			Reads: []Read{{Consumer: "c", Partition: "t", Value: "a"}, {Consumer: "c", Partition: "t", Offset: 2, Value: "b"}},
		},
	} {
		if v := Kafka(h); len(v) > 0 {
			t.Errorf("%s: %v", name, v)
		}
	}
}
