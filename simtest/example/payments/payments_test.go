package payments

import (
	"strings"
	"testing"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/tallysim"
)

// TestRightConsumer: every payment is posted once, whatever happens.
func TestRightConsumer(t *testing.T) {
	simtest.SkipWithoutOverlay(t) // leave this out in tests of your own: Run fails and says what to do
	tallysim.Run(t, world(Consume))
}

// TestWrongConsumersAreCaught: what TestRightConsumer asserts can fail.
func TestWrongConsumersAreCaught(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	for _, wrong := range []struct {
		name      string
		consume   consumer
		assertion string
	}{
		{"commits before it posts", commitFirst, allPosted},
		{"does not remember what it posted", noMemory, noneTwice},
		{"goes on after an error", autoCommit, allPosted},
	} {
		t.Run(wrong.name, func(t *testing.T) {
			seed, report := tallysim.Options{Seeds: 30}.Find(t, wrong.assertion, world(wrong.consume))
			for _, want := range []string{wrong.assertion, "consumer-1, started", "TALLYMQ_SIM_SEED=", "30s quiet"} {
				if !strings.Contains(report, want) {
					t.Errorf("missing %q in the report", want)
				}
			}
			t.Logf("the report of seed %d:\n%s", seed, report)
		})
	}
}
