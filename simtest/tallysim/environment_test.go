package tallysim

import (
	"slices"
	"strings"
	"testing"
)

func TestSeeds(t *testing.T) {
	for _, c := range []struct {
		o    Options
		env  string
		want []uint64
	}{
		{Options{}, "", []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{Options{Seeds: 2, Keep: []uint64{9, 1}}, "", []uint64{9, 1, 2}},
		{Options{Seeds: 2, Keep: []uint64{9}}, "4..6", []uint64{9, 4, 5, 6}},
	} {
		t.Setenv(seedsEnv, c.env)
		if got := c.o.seeds(t); !slices.Equal(got, c.want) {
			t.Errorf("%+v %q: %v, want %v", c.o, c.env, got, c.want)
		}
	}
}

// TestAChildHearsNothingOfItsParentsChoice: what chose worlds for the parent would
// choose other ones in the child.
func TestAChildHearsNothingOfItsParentsChoice(t *testing.T) {
	t.Setenv(seedsEnv, "1..9")
	t.Setenv(planEnv, "plan")
	var ours []string
	for _, kv := range childEnvironment(7, "file") {
		if strings.HasPrefix(kv, prefixEnv) {
			ours = append(ours, kv)
		}
	}
	if want := []string{seedEnv + "=7", resultEnv + "=file"}; !slices.Equal(ours, want) {
		t.Errorf("%v, want %v", ours, want)
	}
}

func TestOneSeed(t *testing.T) {
	for _, c := range []struct {
		seed, plan string
		want       uint64
		one        bool
	}{{"", "", 1, false}, {"12", "", 12, true}, {"", "file", 1, true}} {
		t.Setenv(seedEnv, c.seed)
		t.Setenv(planEnv, c.plan)
		if seed, one := oneSeed(t); seed != c.want || one != c.one {
			t.Errorf("%+v: %d, %v", c, seed, one)
		}
	}
}

func TestTestPatternOfASubtest(t *testing.T) {
	if got, want := testPattern("TestA/b+c"), `TestA$/^b\+c`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
