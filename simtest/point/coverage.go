package point

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tallymq/tallymq/internal/point"
)

// A Coverage is how often points were reached. It marshals to JSON, for runs
// that are spread over processes.
type Coverage struct {
	Seeds  int              `json:"seeds"`
	Points map[string]Reach `json:"points"`

	mu sync.Mutex
}

// Reach is what one point has seen.
type Reach struct {
	Hits      int    `json:"hits"`
	Seeds     int    `json:"seeds"`
	FirstSeed uint64 `json:"first_seed"`
}

// New returns a coverage in which every declared point has not been reached.
func New() *Coverage {
	c := &Coverage{Points: map[string]Reach{}}
	for _, name := range point.Declared() {
		c.Points[name] = Reach{}
	}
	return c
}

// Start counts the hits of one world until stop is called.
func (c *Coverage) Start(seed uint64) (stop func()) {
	hits := map[string]int{}
	var mu sync.Mutex
	end := point.Record(func(name string) {
		mu.Lock()
		hits[name]++
		mu.Unlock()
	})
	return func() {
		end()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.Seeds++
		for name, n := range hits {
			r := c.Points[name]
			if r.Seeds == 0 {
				r.FirstSeed = seed
			}
			r.Hits += n
			r.Seeds++
			c.Points[name] = r
		}
	}
}

// Merge adds what another run counted.
func (c *Coverage) Merge(o *Coverage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Seeds += o.Seeds
	for name, r := range o.Points {
		mine := c.Points[name]
		if r.Seeds > 0 && (mine.Seeds == 0 || r.FirstSeed < mine.FirstSeed) {
			mine.FirstSeed = r.FirstSeed
		}
		mine.Hits += r.Hits
		mine.Seeds += r.Seeds
		c.Points[name] = mine
	}
}

// Never returns the points that no seed reached, sorted.
func (c *Coverage) Never() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var never []string
	for name, r := range c.Points {
		if r.Hits == 0 {
			never = append(never, name)
		}
	}
	slices.Sort(never)
	return never
}

// String is the table, rarest first.
func (c *Coverage) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.Points))
	for name := range c.Points {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := c.Points[a].Seeds - c.Points[b].Seeds; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	reached := 0
	var b strings.Builder
	for _, name := range names {
		r := c.Points[name]
		if r.Hits == 0 {
			fmt.Fprintf(&b, "%-40s never reached\n", name)
			continue
		}
		reached++
		fmt.Fprintf(&b, "%-40s %d of %d seeds, %d hits, first by seed %d\n", name, r.Seeds, c.Seeds, r.Hits, r.FirstSeed)
	}
	fmt.Fprintf(&b, "%d of %d points reached by %d seeds\n", reached, len(names), c.Seeds)
	return b.String()
}

// Decode reads a coverage that another process marshalled.
func Decode(b []byte) (*Coverage, error) {
	c := &Coverage{Points: map[string]Reach{}}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("coverage: %w", err)
	}
	return c, nil
}
