package point

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/internal/point"
)

var (
	common = point.New("coverage/common")
	rare   = point.New("coverage/rare")
	_      = point.New("coverage/never")
)

func TestCoverage(t *testing.T) {
	c := New()
	for seed := uint64(1); seed <= 3; seed++ {
		stop := c.Start(seed)
		common.Hit()
		common.Hit()
		if seed == 2 {
			rare.Hit()
		}
		stop()
	}
	if got := c.Never(); !slices.Equal(got, []string{"coverage/never"}) {
		t.Errorf("never reached: %v", got)
	}
	if r := c.Points["coverage/rare"]; r != (Reach{Hits: 1, Seeds: 1, FirstSeed: 2}) {
		t.Errorf("rare: %+v", r)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	c.Merge(other)
	want := "2 of 3 points reached by 6 seeds\n"
	if s := c.String(); !strings.HasPrefix(s, "coverage/never") || !strings.HasSuffix(s, want) {
		t.Errorf("table:\n%s", s)
	}
}
