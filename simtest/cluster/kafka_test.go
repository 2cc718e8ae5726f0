package cluster

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

// TestKafkaSurvivesThePlan: real nodes, real clients of every kind, faults; then
// everything that was acknowledged is there, once, in order, the same for all.
func TestKafkaSurvivesThePlan(t *testing.T) { survive(t, draw) }

// TestTransactionsSurviveThePlan: there is little but transactions.
func TestTransactionsSurviveThePlan(t *testing.T) { survive(t, drawTransactional) }

// survive runs a world of these settings.
func survive(t *testing.T, draw func(w *simtest.World) settings) {
	t.Helper()
	simtest.SkipWithoutOverlay(t)
	seed := uint64(1)
	if s := os.Getenv("TALLYMQ_SIM_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	simtest.Run(t, seed, func(w *simtest.World) {
		s := draw(w)
		o := Options{Nodes: s.nodes, Config: tune(w), Unattended: s.safety}
		if os.Getenv("TALLYMQ_SIM_LOG") != "" {
			o.Log = slog.NewTextHandler(os.Stderr, nil)
		}
		l := &workload{settings: s, w: w, c: New(w, o), stop: make(chan struct{}), epochs: map[term]span{}, positions: map[string]int64{},
			covered: map[string]map[int64]bool{}, partitions: map[string]int32{}}
		l.h.Dense = true
		l.create(topic, s.topicPartitions, nil)
		l.create(trimmed, trimmedPartitions, nil)
		l.createBalances()
		l.createPosted()
		l.findTopicID()
		l.begin()
		l.suffer(t)
		time.Sleep(10 * time.Second) // of quiet, under load
		close(l.stop)
		if s.safety {
			l.giveUp()
		} else {
			l.settled()
			l.readAll()
			l.probeStarts()
			l.compareReplicas()
		}
		l.judge(t)
	})
}

// begin starts the clients.
func (l *workload) begin() {
	for i := range l.producersIdempotent {
		l.keep(fmt.Sprintf("p%d", i+1), func(p *simtest.Process, name string) error { return l.idempotent(p, name, topic) })
	}
	if !l.safety { // what was deleted cannot be told from what is lost unless the end says how much it was
		l.keep("auditor", func(p *simtest.Process, name string) error { return l.idempotent(p, name, trimmed) })
	}
	if l.compacted {
		for i := range 2 {
			l.keep(fmt.Sprintf("bookkeeper%d", i+1), l.keepBooks)
		}
	}
	for i := range l.tellers {
		l.keep(fmt.Sprintf("teller%d", i+1), l.tell)
	}
	for i := range l.producersPlain {
		l.keep(fmt.Sprintf("plain%d", i+1), l.plain)
	}
	for i := range l.producersCareless {
		l.keep(fmt.Sprintf("careless%d", i+1), l.careless)
	}
	for i := range l.readers {
		l.keep(fmt.Sprintf("reader%d", i+1), l.read)
	}
	for i := range l.members {
		l.keep(fmt.Sprintf("member%d", i+1), l.consume)
	}
	l.keep("prober", l.probe)
	l.keep("admin", l.administer)
}

// suffer lets the plan happen. Skew is not among its verbs: dragonboat's breakers go by
// the wall clock, so a step back silences a node (TestKnownWallClockStep of simtest).
func (l *workload) suffer(t *testing.T) {
	plan := l.w.Plan(simtest.PlanConfig{
		Nodes: l.c.Names, Clients: l.clients, Mortals: l.mortals, Length: l.length, Every: 2 * time.Second, BrokenMax: l.brokenMax, AllDamaged: l.safety,
		Verbs: slices.Concat([]simtest.Verb{simtest.Kill, simtest.Power, simtest.Pause}, simtest.NetworkVerbs, simtest.DiskVerbs, simtest.CrowdVerbs, l.damage),
	})
	t.Logf("plan:\n%v", plan)
	l.c.Apply(plan)
}

// judge asks the judges.
func (l *workload) judge(t *testing.T) {
	l.groupReadAll()
	for name, n := range map[string]int{
		"sends": len(l.h.Sends), "acknowledged": l.acks, "reads": len(l.h.Reads), "ends": len(l.h.Ends), "starts": len(l.h.Starts),
		"commits": len(l.h.Commits), "fetches": len(l.h.Fetches), "assignments": len(l.h.Assignments), "digests": len(l.h.Digests), "epochs": len(l.epochs),
		"transactions": len(l.h.Ops), "transactions-committed": l.committed(),
	} {
		l.w.Count(name, n)
	}
	for _, v := range check.Kafka(&l.h) {
		l.w.Anomaly(v.Anomaly, v.Where, "%s", v.Text)
	}
	if !l.safety && (l.acks == 0 || len(l.positions) == 0) {
		t.Error("nothing was acknowledged or nothing committed: the test shows nothing")
	}
	t.Logf("%d sends, %d acknowledged, %d reads, %d ends, %d starts, %d commits, %d fetches, %d assignments, %d digests, %d epochs",
		len(l.h.Sends), l.acks, len(l.h.Reads), len(l.h.Ends), len(l.h.Starts), len(l.h.Commits), len(l.h.Fetches), len(l.h.Assignments), len(l.h.Digests), len(l.epochs))
}

// TestSeedsAreEqual: the whole cluster, its clients and their faults, twice.
func TestSeedsAreEqual(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	for seed := uint64(1); seed <= 2; seed++ {
		if diff := simtest.CompareRuns(t, "TestKafkaSurvivesThePlan", seed); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}
