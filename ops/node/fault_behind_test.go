package node_test

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/tallymq/tallymq/ops/config"
)

// rateFor measures acknowledged records a second over some seconds.
func (l *load) rateFor(d time.Duration) float64 {
	n, began := l.acked.Load(), time.Now()
	time.Sleep(d) // a window of measurement, not a wait for something
	return float64(l.acked.Load()-n) / time.Since(began).Seconds()
}

var pulledRE = regexp.MustCompile(`replica is whole.* pulled=(\d+)`)

// pulled sums what a node says it pulled.
func (s *server) pulled() (sum int64) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	for _, line := range *s.log.lines {
		if m := pulledRE.FindStringSubmatch(line); m != nil {
			n, _ := strconv.ParseInt(m[1], 10, 64)
			sum += n
		}
	}
	return sum
}

// A follower was away while many megabytes were written. It catches up by log while the
// log reaches back so far, else by a snapshot of the rows and a pull of the payloads that
// it lacks; either way what it writes follows the gap, not the size of the shard, and
// producers keep their rate.
func TestFaultFollowerBehind(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name string
		tune func(*config.Config)
		pull bool
	}{
		{"by log", nil, false},
		{"by snapshot", func(c *config.Config) { c.SnapshotBytes, c.LogKeepBytes = 2<<20, 2<<20 }, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := newServers(t, 3, x.tune)
			const size = 8000
			l := startLoad(t, c, 4, 1, 600, size)
			l.progress(1500) // 12 MB that it has
			s := c.follower(2)
			before := l.rateFor(2 * time.Second)
			s.stop()
			from := l.acked.Load()
			l.progress(2000)
			gap := (l.acked.Load() - from) * size
			if err := s.start(); err != nil {
				t.Fatal(err)
			}
			at, began := l.acked.Load(), time.Now()
			c.healthy(nil)
			took := time.Since(began)
			during := float64(l.acked.Load()-at) / took.Seconds()
			gap += (l.acked.Load() - at) * size
			written := int64(s.node().Journal.Stats().BytesWritten)
			pulled := s.pulled()
			t.Logf("gap %.1f MB; the follower wrote %.1f MB to its journal and pulled %.1f MB of payloads; caught up in %v; acknowledged a second before %.0f, during %.0f (ratio %.2f)",
				float64(gap)/1e6, float64(written)/1e6, float64(pulled)/1e6, took.Round(10*time.Millisecond), before, during, during/before)
			if during < before/4 {
				t.Errorf("producers fell from %.0f to %.0f records a second while the follower caught up", before, during)
			}
			if x.pull != (pulled > 0) {
				t.Errorf("pulled %d bytes of payloads", pulled)
			}
			if total := l.acked.Load() * size; written > gap*2 || written > total {
				t.Errorf("%d bytes written for a gap of %d in a log of %d", written, gap, total)
			}
			c.lead(2, s)
			c.lead(3, s)
			l.progress(50)
			l.finish()
		})
	}
}
