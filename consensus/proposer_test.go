package consensus

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lni/dragonboat/v4"
	"golang.org/x/sync/semaphore"

	"github.com/tallymq/tallymq/consensus/stream"
)

// logGroup is a log of its own: what is proposed waits until the test appends it.
type logGroup struct{ waiting chan []byte }

func (g *logGroup) propose(cmd []byte) (*dragonboat.RequestState, error) {
	g.waiting <- append([]byte(nil), cmd...)
	return &dragonboat.RequestState{}, nil
}

// loneProposer is a proposer without a host.
type loneProposer struct {
	*proposer
	group *logGroup
	state stream.State
}

func newLoneProposer() *loneProposer {
	l := &loneProposer{group: &logGroup{waiting: make(chan []byte, 1000)}}
	limits := Limits{}.withDefaults()
	l.proposer = newProposer(1, limits, slog.New(slog.DiscardHandler), l.group, newWindow(limits.ShardWindowBytes, semaphore.NewWeighted(limits.NodeWindowBytes)))
	l.leadership = func() (uint64, uint64, uint64, uint64) { return 0, 0, 0, 0 }
	l.present = func() stream.Stream { return stream.Stream{Node: 1, Next: 1} }
	go l.run(nil)
	return l
}

// apply lets the log take one waiting entry, as the apply worker would.
func (l *loneProposer) apply(t *testing.T, cmd []byte) stream.Verdict {
	t.Helper()
	var e stream.Entry
	if err := stream.Decode(cmd, &e); err != nil {
		t.Fatal(err)
	}
	v := l.state.Apply(&e)
	l.observe(e.Header, v, func(int) ([]byte, error) { return []byte("r"), nil })
	return v
}

// An entry may be applied after its replica was told to stop and before dragonboat has stopped it: its callers were
// answered, and the apply worker must not stumble over that.
func TestAppliedAfterShut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoneProposer()
		l.apply(t, <-l.group.waiting) // the open
		var got []error
		l.propose(&Proposal{Head: []byte("a"), Done: func(_ []byte, err error) { got = append(got, err) }})
		entry := <-l.group.waiting
		l.shut(ErrClosed)
		if len(got) != 1 || !errors.Is(got[0], ErrUnknownOutcome) {
			t.Fatal(got)
		}
		if v := l.apply(t, entry); v.Outcome != stream.Applied {
			t.Fatal(v.Outcome)
		}
		l.installed(l.state.Stream(1))
		if len(got) != 1 {
			t.Fatalf("answered again: %v", got)
		}
	})
}

// A command that nothing happens to is sent again after ResendAfter, and applied once though both copies arrive; its
// deadline is answered in between, once, as unknown.
func TestLateEntryIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoneProposer()
		l.apply(t, <-l.group.waiting)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var got []error
		l.propose(&Proposal{Ctx: ctx, Head: []byte("a"), Done: func(_ []byte, err error) { got = append(got, err) }})
		first, second := <-l.group.waiting, <-l.group.waiting
		if len(got) != 1 || !errors.Is(got[0], ErrUnknownOutcome) {
			t.Fatal(got)
		}
		if v := l.apply(t, second); v.Outcome != stream.Applied {
			t.Fatal(v.Outcome)
		}
		if v := l.apply(t, first); v.Outcome != stream.Duplicate {
			t.Fatal(v.Outcome)
		}
		l.shut(ErrClosed)
		if len(got) != 1 {
			t.Fatal(got)
		}
	})
}

// A lone command goes at once; what comes while it is on its way waits for company and shares one entry.
func TestCoalescing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoneProposer()
		defer l.shut(ErrClosed)
		l.apply(t, <-l.group.waiting)
		done := 0
		propose := func() { l.propose(&Proposal{Head: []byte("a"), Done: func([]byte, error) { done++ }}) }
		count := func(cmd []byte) int {
			var e stream.Entry
			if err := stream.Decode(cmd, &e); err != nil {
				t.Fatal(err)
			}
			return len(e.Commands)
		}
		propose()
		first := <-l.group.waiting
		for range 99 {
			propose()
		}
		l.apply(t, first)
		rest := <-l.group.waiting
		if count(first) != 1 || count(rest) != 99 {
			t.Fatalf("%d and %d commands", count(first), count(rest))
		}
		l.apply(t, rest)
		if done != 100 {
			t.Fatal(done)
		}
	})
}
