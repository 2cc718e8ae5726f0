package point

import (
	"slices"
	"testing"
)

var here = New("point/test-here")

func TestRecord(t *testing.T) {
	here.Hit() // nobody listens
	var seen []string
	stop := Record(func(name string) { seen = append(seen, name) })
	here.Hit()
	here.Hit()
	stop()
	here.Hit()
	if !slices.Equal(seen, []string{"point/test-here", "point/test-here"}) {
		t.Errorf("recorded %v", seen)
	}
	if !slices.Contains(Declared(), "point/test-here") {
		t.Errorf("declared: %v", Declared())
	}
	Record(func(string) {})() // free again
}

func TestHitAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, here.Hit); n != 0 {
		t.Errorf("Hit allocates %v times", n)
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	for _, name := range []string{"", "journal", "/roll", "journal/", "point/test-here"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q passes", name)
				}
			}()
			New(name)
		}()
	}
}
