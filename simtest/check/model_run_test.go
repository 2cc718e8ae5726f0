package check

import (
	"testing"

	"pgregory.net/rapid"
)

func TestCleanOperationsPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := cleanOps(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 2000).Draw(t, "steps"))
		for _, o := range []Options{{}, {WWDeps: true, AntiDependencies: true}} {
			if v := Judge(h, o).Failing(); len(v) > 0 {
				t.Fatalf("a clean history has violations: %v", v)
			}
		}
	})
}
