package routing

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func consistent(t testing.TB, weights map[string]int) *Topology {
	top := New()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(top.Declare(Exchange{Name: "h", Type: ConsistentHash}))
	for q, w := range weights {
		top.AddQueue(q)
		must(top.Bind(Binding{Source: "h", Destination: Destination{Name: q}, Key: fmt.Sprint(w)}))
	}
	return top
}

func routeOne(t testing.TB, top *Topology, exchange, key string) string {
	got := top.Route(new(Walk), exchange, &Message{Key: key})
	if len(got) != 1 {
		t.Fatalf("%q goes to %q", key, got)
	}
	return got[0]
}

// Each queue gets its weight's part of the keys. With 20,000 keys a part of p deviates by √(p(1-p)/20,000), at most 0.0036;
// keys are fixed, so the test is not a matter of luck.
func TestWeights(t *testing.T) {
	top := consistent(t, map[string]int{"one": 1, "two": 2, "five": 5, "also-two": 2})
	got := map[string]int{}
	for i := range 20_000 {
		got[routeOne(t, top, "h", fmt.Sprintf("key-%d", i))]++
	}
	for q, w := range map[string]float64{"one": 1, "two": 2, "five": 5, "also-two": 2} {
		if part := float64(got[q]) / 20_000; math.Abs(part-w/10) > 0.015 {
			t.Errorf("queue %s of weight %v in 10 gets %v of the keys", q, w, part)
		}
	}
}

// A queue that comes takes keys and moves no others; one that goes leaves only its own; a larger weight only takes.
func TestConsistency(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(rt, "queues")
		weights := map[string]int{}
		for i := range n {
			weights[fmt.Sprintf("q%d", i)] = rapid.IntRange(1, 20).Draw(rt, "weight")
		}
		before := consistent(t, weights)
		after := consistent(t, weights)
		after.AddQueue("new")
		if err := after.Bind(Binding{Source: "h", Destination: Destination{Name: "new"}, Key: "7"}); err != nil {
			rt.Fatal(err)
		}
		for i := range 100 {
			key := fmt.Sprint(i)
			if old, now := routeOne(t, before, "h", key), routeOne(t, after, "h", key); now != old && now != "new" {
				rt.Fatalf("key %s moved from %s to %s", key, old, now)
			}
		}
		after.RemoveQueue("new")
		for i := range 100 {
			key := fmt.Sprint(i)
			if old, now := routeOne(t, before, "h", key), routeOne(t, after, "h", key); now != old {
				rt.Fatalf("key %s moved from %s to %s and did not come back", key, old, now)
			}
		}
	})
}

// The order per key of running systems depends on these: they never change.
func TestHashVectors(t *testing.T) {
	top := consistent(t, map[string]int{"a": 1, "b": 1, "c": 2, "d": 10})
	if err := top.Declare(Exchange{Name: "m", Type: ModulusHash}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"a", "b", "c", "d"} {
		if err := top.Bind(Binding{Source: "m", Destination: Destination{Name: q}}); err != nil {
			t.Fatal(err)
		}
	}
	var consistentTo, modulusTo strings.Builder
	for i := range 40 {
		key := fmt.Sprintf("account-%d", i)
		consistentTo.WriteString(routeOne(t, top, "h", key))
		modulusTo.WriteString(routeOne(t, top, "m", key))
	}
	const (
		wantConsistent = "addddddddddabddcdddddddcddbdaddddadcdadd"
		wantModulus    = "cbdadcacddaaaaadccdbcabbadbbcbcbccbcabac"
	)
	if got := consistentTo.String(); got != wantConsistent {
		t.Errorf("x-consistent-hash: %s", got)
	}
	if got := modulusTo.String(); got != wantModulus {
		t.Errorf("x-modulus-hash: %s", got)
	}
}

func TestNegativeLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.Uint64Min(1).Draw(t, "u")
		want := 64 - math.Log2(float64(u))
		if got := float64(negativeLog(u)) / (1 << 32); math.Abs(got-want) > 1e-8 {
			t.Fatalf("-log2(%d / 2^64) = %v, not %v", u, got, want)
		}
	})
	if got := negativeLog(math.MaxUint64); got < 1 {
		t.Errorf("the largest number has %d", got)
	}
	if got := negativeLog(0); got != 64<<32 {
		t.Errorf("0 has %d", got)
	}
}

// A pattern of many # on a key of many words: each # could take any of them.
func TestManyHashesAreCheap(t *testing.T) {
	var x topicMatcher
	for n := 1; n <= 60; n++ {
		x.add(&Binding{Key: strings.Repeat("#.a.", n) + "#", Destination: Destination{Name: fmt.Sprint(n)}})
	}
	var w Walk
	x.matchKey(strings.TrimSuffix(strings.Repeat("a.", 127), "."), &w)
	if len(w.queues) != 60 {
		t.Errorf("%d of 60 patterns match", len(w.queues))
	}
}

// Equality of numbers, whatever their type, is exact.
func TestNumbersAreEqualByValue(t *testing.T) {
	for _, c := range []struct {
		n    int64
		f    float64
		same bool
	}{
		{1, 1, true}, {0, math.Copysign(0, -1), true}, {1, 1.5, false}, {1<<53 + 1, 1 << 53, false}, {math.MaxInt64, 1 << 63, false},
		{math.MinInt64, -1 << 63, true}, {0, math.NaN(), false}, {math.MaxInt64, math.Inf(1), false},
	} {
		n, f := Value{Kind: Int, Int: c.n}, Value{Kind: Float, Float: c.f}
		if n.equal(f) != c.same || f.equal(n) != c.same {
			t.Errorf("%v equal to %v: %v", c.n, c.f, !c.same)
		}
	}
}
