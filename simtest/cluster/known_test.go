package cluster

import (
	"path/filepath"
	"testing"

	"github.com/tallymq/tallymq/simtest"
)

// TestKnownPlans: plans that once found something wrong find nothing any more.
func TestKnownPlans(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	plans, err := filepath.Glob("testdata/*.plan")
	if err != nil || len(plans) == 0 {
		t.Fatalf("no plans: %v", err)
	}
	for _, name := range plans {
		t.Run(filepath.Base(name), func(t *testing.T) {
			path, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			simtest.RunChild(t, "TestKafkaSurvivesThePlan", 1, filepath.Join(t.TempDir(), "trace"), "TALLYMQ_SIM_PLAN="+path)
		})
	}
}
