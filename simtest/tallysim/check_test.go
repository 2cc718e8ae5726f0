package tallysim

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
)

// TestChecksAreLookedAt: a check that does not hold for a moment fails the world, is
// reported once, and with the events before that moment.
func TestChecksAreLookedAt(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	_, report := Options{Seeds: 1, Nodes: 1}.Find(t, "never wrong", func(c *Cluster) {
		wrong := false
		c.Check("never wrong", func() error {
			if wrong {
				return errors.New("it was wrong")
			}
			return nil
		})
		c.World.Result("body", "before")
		wrong = true
		time.Sleep(2 * checkEvery)
		wrong = false
		time.Sleep(time.Second)
		c.World.Result("body", "long after")
	})
	_, report, _ = strings.Cut(report, "What did not hold:")
	wants(t, report, "never wrong: it was wrong", "before")
	if strings.Contains(report, "long after") || strings.Count(report, "it was wrong") != 1 {
		t.Errorf("the report:\n%s", report)
	}
}

// TestChecksAreLookedAtOnceMore: what is wrong when the body returns is found.
func TestChecksAreLookedAtOnceMore(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	Options{Seeds: 1, Nodes: 1}.Find(t, "right in the end", func(c *Cluster) {
		end := false
		c.Check("right in the end", func() error {
			if end {
				return errors.New("wrong")
			}
			return nil
		})
		end = true
	})
}

// TestEventuallyWaitsForTheEndOfTheFaults, and no longer than it was told.
func TestEventuallyWaitsForTheEndOfTheFaults(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	_, report := Options{Seeds: 1, Nodes: 1}.Find(t, "too late", func(c *Cluster) {
		c.Go("program", func(p *Process) error { <-p.Context().Done(); return nil })
		begin := time.Now()
		c.Faults(Faults{Yours: []simtest.Verb{simtest.Kill}, Length: 20 * time.Second})
		c.Eventually("in time", time.Second, func() error {
			if time.Since(begin) < 20*time.Second {
				t.Error("asked while faults are on")
			}
			if time.Since(begin) < 20500*time.Millisecond {
				return errors.New("not yet")
			}
			return nil
		})
		c.Eventually("too late", time.Second, func() error { return errors.New("never") })
		if took := time.Since(begin); took > 22*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
	wants(t, report, "too late: not within 1s after the faults ended: never", "20s quiet")
	if strings.Contains(report, "asked while") || strings.Contains(report, "in time:") || strings.Contains(report, "gave up") {
		t.Error(report)
	}
}

// TestTheStoryTellsWhatAConsumerAsked: of groups and transactions, with the answers
// that did not come.
func TestTheStoryTellsWhatAConsumerAsked(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	_, report := Options{Seeds: 1}.Find(t, "shown", func(c *Cluster) {
		c.Topic("t", 1)
		c.Produce(&kgo.Record{Topic: "t", Value: []byte("x")})
		committed := false
		c.Go("consumer", func(p *Process) error {
			client, err := kgo.NewClient(append(p.KafkaOptions(), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit())...)
			if err != nil {
				return err
			}
			records := client.PollRecords(p.Context(), 1).Records()
			if err := client.CommitRecords(p.Context(), records...); err != nil {
				return err
			}
			committed = true
			return nil
		})
		c.Eventually("committed", time.Minute, func() error {
			if !committed {
				return errors.New("not yet")
			}
			return nil
		})
		c.Eventually("shown", 0, func() error { return errors.New("as planned") })
	})
	wants(t, report, "JoinGroup to n", "OffsetCommit to n", "is answered", "consumer, started 1 times")
}
