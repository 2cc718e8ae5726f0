package invariant_test

import (
	"fmt"
	"testing"

	"github.com/tallymq/tallymq/internal/invariant"
)

func caught(f func()) (recovered any) {
	defer func() { recovered = recover() }()
	f()
	return nil
}

func TestCheckPanicsWithTheNumbers(t *testing.T) {
	r := caught(func() { invariant.Check(1 > 2, "applied %d is above committed %d", 9, 7) })
	v, ok := invariant.AsViolation(r)
	if !ok || v.Message != "BUG: applied 9 is above committed 7" {
		t.Fatalf("recovered %v", r)
	}
}

func TestCheckThatHoldsIsSilent(t *testing.T) {
	if r := caught(func() { invariant.Check(true, "never %d", 1) }); r != nil {
		t.Fatalf("recovered %v", r)
	}
}

func TestUnreachable(t *testing.T) {
	if _, ok := invariant.AsViolation(caught(func() { invariant.Unreachable("verdict %d", 4) })); !ok {
		t.Fatal("not a violation")
	}
}

func TestAsViolationSeesThroughWrappingOnly(t *testing.T) {
	v := &invariant.Violation{Message: "BUG: x"}
	if got, ok := invariant.AsViolation(fmt.Errorf("shard 3: %w", v)); !ok || got != v {
		t.Fatal("a wrapped violation was not recognised")
	}
	for _, other := range []any{nil, "BUG: text", fmt.Errorf("other"), 7} {
		if _, ok := invariant.AsViolation(other); ok {
			t.Fatalf("%v taken for a violation", other)
		}
	}
}
