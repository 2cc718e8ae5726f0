package point

import (
	"slices"
	"testing"
	"time"
)

var (
	sometimes = NewAct("point/test-sometimes")
	never     = NewAct("point/test-never")
)

// always lets one place act, and draws the most.
type always struct{ name string }

func (d always) Acts(name string) bool           { return name == d.name }
func (d always) Draw(_ string, most int64) int64 { return most - 1 }

func TestWithoutDirectorNothingActs(t *testing.T) {
	if sometimes.Now() || sometimes.Most(7) != 7 {
		t.Error("it acts")
	}
	sometimes.Pause(time.Hour)
	if n := testing.AllocsPerRun(100, func() { _ = sometimes.Now(); _ = sometimes.Most(7); sometimes.Pause(time.Hour) }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func TestDirect(t *testing.T) {
	var seen []string
	defer Record(func(name string) { seen = append(seen, name) })()
	stop := Direct(always{"point/test-sometimes"})
	if !sometimes.Now() || never.Now() {
		t.Error("the wrong place acts")
	}
	if got := sometimes.Most(7); got != 6 || never.Most(7) != 7 || sometimes.Most(1) != 1 {
		t.Errorf("takes %d of 7", got)
	}
	sometimes.Pause(time.Nanosecond)
	stop()
	if sometimes.Now() {
		t.Error("it acts after the end")
	}
	if want := slices.Repeat([]string{"point/test-sometimes"}, 3); !slices.Equal(seen, want) {
		t.Errorf("hits %v, want %v", seen, want)
	}
	if acts := DeclaredActs(); !slices.Equal(acts, []string{"point/test-never", "point/test-sometimes"}) {
		t.Errorf("declared acts: %v", acts)
	}
	if !slices.Contains(Declared(), "point/test-never") {
		t.Error("an act is not declared as a point")
	}
}
