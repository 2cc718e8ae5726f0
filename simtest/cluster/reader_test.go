package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

// read is main of a reader: it reads everything from the start, and goes on.
func (l *workload) read(p *simtest.Process, name string) error {
	cl, err := kgo.NewClient(l.options(p, l.all(l.topics()...), kgo.FetchMaxWait(500*time.Millisecond), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return err
	}
	for since := l.w.Now(); ; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		fetches := cl.PollFetches(ctx)
		cancel()
		l.note(name, 0, fetches, since, false)
		if l.stopped(0) {
			return nil
		}
	}
}

// all are the partitions of topics, from their starts.
func (l *workload) all(topics ...string) kgo.Opt {
	from := map[string]map[int32]kgo.Offset{}
	for _, t := range topics {
		from[t] = map[int32]kgo.Offset{}
		for p := range l.partitions[t] {
			from[t][p] = kgo.NewOffset().AtStart()
		}
	}
	return kgo.ConsumePartitions(from)
}

// note adds what a consumer was given to the history.
//
//   - corrupt-read: a client was given a batch that its checksum does not fit.
func (l *workload) note(name string, session int, fetches kgo.Fetches, since time.Duration, final bool) {
	fetches.EachError(func(t string, p int32, err error) {
		if strings.Contains(strings.ToLower(err.Error()), "crc") {
			l.w.Anomaly("corrupt-read", place(t, p), "%v", err)
		}
	})
	now := l.w.Now()
	fetches.EachRecord(func(r *kgo.Record) {
		if r.Attrs.IsControl() {
			return
		}
		text := textOf(r)
		l.w.Result(name, "%s/%d at %d: %.24s", r.Topic, r.Partition, r.Offset, text)
		l.mu.Lock()
		defer l.mu.Unlock()
		at := place(r.Topic, r.Partition)
		l.h.Reads = append(l.h.Reads, check.Read{At: now, Since: since, Consumer: name, Session: session, Partition: at, Offset: r.Offset, Value: text, Final: final})
		t := term{at, r.LeaderEpoch}
		s, ok := l.epochs[t]
		if !ok {
			s = span{r.Offset, r.Offset}
		}
		l.epochs[t] = span{min(s.first, r.Offset), max(s.last, r.Offset)}
	})
}

// readAll reads every partition from its start to its end, after everything.
//
//   - unread: what was said to be the end is not reached.
func (l *workload) readAll() {
	ends := map[string]int64{}
	listed := true
	for _, t := range l.topics() {
		listed = listed && l.as("final", func(cl *kgo.Client) error {
			return insist(func(ctx context.Context) error {
				listed, err := kadm.NewClient(cl).ListEndOffsets(ctx, t)
				if err == nil {
					err = listed.Error()
				}
				listed.Each(func(o kadm.ListedOffset) { ends[place(t, o.Partition)] = o.Offset })
				return err
			})
		})
	}
	if !listed {
		return // that is a violation by itself, and nothing is known of what should be there
	}
	l.as("final", func(cl *kgo.Client) error { l.readTo(cl, ends); return nil }, l.all(l.topics()...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	for _, t := range l.topics() {
		for p := range l.partitions[t] {
			l.h.Drained = append(l.h.Drained, place(t, p))
		}
	}
}

func (l *workload) readTo(cl *kgo.Client, ends map[string]int64) {
	seen := map[string]int64{}
	missing := func() (list []string) {
		for _, t := range l.topics() {
			for p := range l.partitions[t] {
				if at := place(t, p); seen[at] < ends[at] && !l.emptied(at, ends[at]) {
					list = append(list, fmt.Sprintf("%s: %d of %d", at, seen[at], ends[at]))
				}
			}
		}
		return list
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	since := l.w.Now()
	for len(missing()) > 0 && ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		l.note("final", 0, fetches, since, true)
		fetches.EachRecord(func(r *kgo.Record) { seen[place(r.Topic, r.Partition)] = r.Offset + 1 })
	}
	for _, m := range missing() {
		l.w.Anomaly("unread", "final", "%s", m)
	}
}

// emptied says that everything below an end was deleted.
func (l *workload) emptied(at string, end int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.h.Starts {
		if s.Partition == at && s.Offset >= end {
			return true
		}
	}
	return false
}
