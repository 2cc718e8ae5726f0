package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// books are how often each order is in each place.
type books struct {
	in map[string]map[string]int
}

// whole says what is wrong, when sent are all orders, true if they were confirmed.
func (b *books) whole(sent map[string]bool) error {
	for place, ids := range b.in { //lint:sorted any wrong one will do
		for id, n := range ids { //lint:sorted any wrong one will do
			if _, known := sent[id]; !known || n != 1 {
				return fmt.Errorf("%q is %d times in %s, sent: %v", id, n, place, known)
			}
		}
	}
	for id, confirmed := range sent { //lint:sorted any wrong one will do
		o, l, n, c := b.in[orders][id], b.in[ledger][id], b.in[notices][id], b.in[cleared][id]
		waits, done := o == 1 && l+n+c == 0, o == 0 && l == 1 && n == 1 && c == 1
		if !waits && !done && (confirmed || o+l+n+c > 0) {
			return fmt.Errorf("order %s (confirmed: %v) is %d times in %s, %d in %s, %d in %s, %d in %s", id, confirmed, o, orders, l, ledger, n, notices, c, cleared)
		}
	}
	return nil
}

// await waits until every confirmed order is in the topic.
func (h *house) await() error {
	return insist(func() error {
		ids, err := h.read()
		if err != nil {
			return err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for id, confirmed := range h.sent { //lint:sorted any missing one will do
			if confirmed && ids[id] == 0 {
				return fmt.Errorf("order %s was confirmed, and is not cleared %v after the last one", id, patience)
			}
		}
		return nil
	})
}

// read reads the topic from its start to its end, at read_committed.
func (h *house) read() (map[string]int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.kafka...), kgo.ConsumeTopics(cleared), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, cleared)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	ids := map[string]int{}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%d partitions could not be read to their ends: %w", len(left), ctx.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				ids[string(r.Value)]++
				if string(r.Key) != string(r.Value) {
					ids["key "+string(r.Key)]++
				}
			}
			if end, ok := left[r.Partition]; ok && r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		})
	}
	return ids, nil
}

// audit empties the queues and reads the topic. It is called when nobody publishes any more.
func (h *house) audit() (*books, error) {
	b := &books{in: map[string]map[string]int{}}
	r := rand.New(rand.NewPCG(0, 1))
	for _, q := range []string{orders, ledger, notices} {
		b.in[q] = map[string]int{}
		if err := h.empty(q, b.in[q], r); err != nil {
			return nil, err
		}
	}
	var err error
	b.in[cleared], err = h.read()
	return b, err
}

// empty takes all that a queue has, until none came for longer than a lease lasts. What was taken over a connection that ended comes
// again, so only what was committed counts.
func (h *house) empty(queue string, ids map[string]int, r *rand.Rand) error {
	const quietFor = 8 * time.Second
	quiet, end := time.Now(), time.Now().Add(patience)
	for time.Since(quiet) < quietFor {
		if time.Now().After(end) {
			return fmt.Errorf("%s was not emptied in %v", queue, patience)
		}
		n, err := h.take(queue, ids, r)
		if n > 0 || err != nil {
			quiet = time.Now()
		}
		time.Sleep(200 * time.Millisecond)
	}
	return nil
}

func (h *house) take(queue string, ids map[string]int, r *rand.Rand) (n int, err error) {
	c, ch, err := h.dial(r)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := ch.Tx(); err != nil {
		return 0, err
	}
	for {
		d, ok, err := ch.Get(queue, false)
		if err != nil || !ok {
			return n, err
		}
		if err := d.Ack(false); err != nil {
			return n, err
		}
		if err := ch.TxCommit(); err != nil {
			return n, err
		}
		ids[string(d.Body)]++
		n++
	}
}
