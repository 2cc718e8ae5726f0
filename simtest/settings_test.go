package simtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest/result"
)

// settingsWorld is a small world for the tests of this file: it records what it
// drew, and counts.
func settingsWorld(w *World) {
	clients := w.Int("clients", 1, 1000)
	wait := w.Duration("wait", time.Millisecond, time.Second)
	w.Trace.Event("world", "test", "%d clients, %v, %v, %s", clients, wait, w.Bool("slow"), w.OneOf("mode", "a", "b", "c"))
	s := NewSupervisor(w, func(*Process) error { return nil })
	s.Start(w.Process("n1"))
	s.Apply(w.Plan(PlanConfig{
		Nodes: []string{"n1"}, Length: 10 * time.Second, Every: time.Second, Verbs: []Verb{Kill, Pause}, BrokenMax: 1,
	}))
	w.Count("sends", clients)
	if os.Getenv("TALLYMQ_SIM_PLANT") != "" {
		w.Anomaly("planted", "here", "on purpose")
	}
}

func TestSettingsWorld(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, seedFromEnv(t, 1), settingsWorld)
}

// child runs TestSettingsWorld and returns its result.
func settingsChild(t *testing.T, env ...string) (*Result, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "result")
	cmd := exec.Command(os.Args[0], "-test.run=^TestSettingsWorld$")
	cmd.Env = slices.Concat(os.Environ(), childEnv, []string{resultEnv + "=" + file}, env)
	out, failed := cmd.CombinedOutput()
	r, err := result.Read(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return r, failed
}

// TestPlanRepeatsTheWorld: the plan in a world's result, given back, makes the same
// world, with no seed said beside it; and what it leaves out is least.
func TestPlanRepeatsTheWorld(t *testing.T) {
	SkipWithoutOverlay(t)
	drawn, err := settingsChild(t, "TALLYMQ_SIM_SEED=7")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"set world TestSettingsWorld\n", "set seed 7\n", "set clients ", "set wait ", "set slow ", "set mode ", "10s quiet\n"} {
		if !strings.Contains(drawn.Plan, want) {
			t.Errorf("missing %q in\n%s", want, drawn.Plan)
		}
	}
	if drawn.Seed != 7 || drawn.Events == 0 || drawn.SimulatedNS < int64(10*time.Second) || drawn.Operations["sends"] == 0 ||
		drawn.Faults["kill"]+drawn.Faults["pause"] == 0 || drawn.Points.Seeds != 1 || drawn.Failed {
		t.Errorf("result: %+v", drawn)
	}
	file := filepath.Join(t.TempDir(), "plan")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("# as it was drawn\n" + drawn.Plan)
	again, err := settingsChild(t, planEnv+"="+file)
	if err != nil || again.Hash != drawn.Hash || again.Plan != drawn.Plan {
		t.Errorf("%v, hash %s of a plan with hash %s; plan\n%s", err, again.Hash, drawn.Hash, again.Plan)
	}
	write("set seed 7\n2s kill n1 for 1s amount 1\n5s quiet\n")
	small, err := settingsChild(t, planEnv+"="+file)
	if err != nil || small.Operations["sends"] != 1 || small.Faults["kill"] != 1 || !strings.Contains(small.Plan, "set clients 1\n") {
		t.Errorf("%v, %+v", err, small)
	}
	write("set seed 7\nset nobody 1\n5s quiet\n")
	if _, err := settingsChild(t, planEnv+"="+file); err == nil {
		t.Error("a setting that the world does not know passes")
	}
}

func TestResultHasTheViolation(t *testing.T) {
	SkipWithoutOverlay(t)
	r, err := settingsChild(t, "TALLYMQ_SIM_PLANT=1")
	if err == nil || !r.Failed || len(r.Violations) != 1 {
		t.Fatalf("%v, %+v", err, r)
	}
	v := r.Violations[0]
	if v.Anomaly != "planted" || v.Where != "here" || v.Text != "on purpose" || v.AtNS < int64(10*time.Second) {
		b, _ := json.Marshal(v)
		t.Errorf("%s", b)
	}
}
