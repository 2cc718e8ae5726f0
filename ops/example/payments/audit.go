package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// books are what an auditor has read.
type books struct {
	seen     map[string]int // "topic transfer", and "ledger transfer account": how often
	sides    map[string]int // of the ledger, by transfer
	balances [accounts]int64
	records  int
	twice    []string
	bad      error
}

func newBooks() *books { return &books{seen: map[string]int{}, sides: map[string]int{}} }

// take enters a record of an output.
func (k *books) take(r *kgo.Record) {
	k.records++
	what := r.Topic + " " + string(r.Key)
	if r.Topic == ledger {
		var e entry
		if err := json.Unmarshal(r.Value, &e); err != nil || e.Account < 0 || e.Account >= accounts {
			k.bad = fmt.Errorf("%s-%d at %d: %q, %w", r.Topic, r.Partition, r.Offset, r.Value, err)
			return
		}
		what = fmt.Sprintf("%s %s %d", r.Topic, e.Transfer, e.Account)
		k.balances[e.Account] += e.Cents
		k.sides[e.Transfer]++
	}
	if k.seen[what]++; k.seen[what] > 1 {
		k.twice = append(k.twice, what)
	}
}

// halves counts the transfers with one side in the books.
func (k *books) halves() (n int) {
	for _, sides := range k.sides { //lint:sorted a count
		if sides != 2 {
			n++
		}
	}
	return n
}

// whole says what is wrong at the end, when sent are all the transfers that were acknowledged.
func (k *books) whole(sent map[string]transfer) error {
	if k.bad != nil {
		return k.bad
	}
	if len(k.twice) > 0 {
		return fmt.Errorf("%d records are there twice, such as %q", len(k.twice), k.twice[0])
	}
	sum, want := int64(0), [accounts]int64{}
	for id, t := range sent { //lint:sorted any missing one is as wrong as another
		for _, what := range []string{validated + " " + id, notifications + " " + id, fmt.Sprint(ledger, " ", id, " ", t.From), fmt.Sprint(ledger, " ", id, " ", t.To)} {
			if k.seen[what] != 1 {
				return fmt.Errorf("%q is there %d times", what, k.seen[what])
			}
		}
		want[t.From] -= t.Cents
		want[t.To] += t.Cents
	}
	if len(k.seen) != 4*len(sent) {
		return fmt.Errorf("%d different records of %d transfers, want 4 of each", len(k.seen), len(sent))
	}
	for a, balance := range k.balances {
		if balance != want[a] {
			return fmt.Errorf("account %d has %d cents, want %d", a, opening+balance, opening+want[a])
		}
		sum += opening + balance
	}
	if sum != accounts*opening {
		return fmt.Errorf("the sum of all balances is %d cents, it was %d", sum, accounts*opening)
	}
	return nil
}

// watch is the auditor that reads while money moves.
func (b *bank) watch(ctx context.Context) error {
	cl, err := kgo.NewClient(b.options(kgo.ConsumeTopics(outputs...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(300*time.Millisecond))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	k := newBooks()
	for ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(k.take)
		b.seen.Store(int64(k.records))
		b.halves.Store(int64(k.halves()))
		if k.bad != nil {
			return k.bad
		}
		if len(k.twice) > 0 {
			return fmt.Errorf("%q appeared twice", k.twice[0])
		}
	}
	return nil
}

// audit reads all outputs from their starts to their ends. It is called when nobody writes any more.
func (b *bank) audit(ctx context.Context) (*books, error) {
	cl, err := kgo.NewClient(b.options(kgo.ConsumeTopics(outputs...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, outputs...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	left := map[string]map[int32]int64{}
	open := 0
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			if left[o.Topic] == nil {
				left[o.Topic] = map[int32]int64{}
			}
			left[o.Topic][o.Partition] = o.Offset
			open++
		}
	})
	k := newBooks()
	for open > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%d partitions could not be read to their ends: %w", open, ctx.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				k.take(r)
			}
			if end, ok := left[r.Topic][r.Partition]; ok && r.Offset+1 >= end {
				delete(left[r.Topic], r.Partition)
				open--
			}
		})
	}
	return k, nil
}
