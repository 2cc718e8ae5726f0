package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// validators is the group that shares the transfers.
const validators = "validators"

// validate runs one validator after the other under one transactional id until ctx ends: each dies after a while, some in
// the middle of a transaction, and the next one's beginning aborts what the last one left open.
func (b *bank) validate(ctx context.Context, id int, r *rand.Rand) error {
	for ctx.Err() == nil {
		life, cancel := context.WithTimeout(ctx, time.Duration(2000+r.IntN(6000))*time.Millisecond)
		err := b.live(life, id, r)
		cancel()
		if err != nil && ctx.Err() == nil {
			b.deaths.Add(1) // fenced, or thrown out of the group: the next one goes on
			time.Sleep(100 * time.Millisecond)
		}
	}
	return nil
}

// live is one validator's life.
func (b *bank) live(ctx context.Context, id int, r *rand.Rand) error {
	session, err := kgo.NewGroupTransactSession(b.options(
		kgo.TransactionalID("validator-"+strconv.Itoa(id)), kgo.TransactionTimeout(10*time.Second),
		kgo.ConsumerGroup(validators), kgo.ConsumeTopics(transfers), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond), kgo.FetchMaxWait(300*time.Millisecond))...)
	if err != nil {
		return err
	}
	defer session.Client().CloseAllowingRebalance()
	for ctx.Err() == nil {
		fetches := session.PollRecords(ctx, 1+r.IntN(200))
		if fetches.NumRecords() == 0 {
			continue
		}
		if err := session.Begin(); err != nil {
			return err
		}
		written, err := b.post(session, fetches)
		if err != nil {
			return err
		}
		if r.IntN(40) == 0 {
			b.deaths.Add(1)
			return nil // dies with its transaction open
		}
		end := context.WithoutCancel(ctx)
		committed, err := session.End(end, kgo.TransactionEndTry(written.Err() == nil))
		switch {
		case err != nil:
			return err
		case committed:
			b.committed.Add(1)
		default:
			b.aborted.Add(1)
		}
	}
	return nil
}

// post writes what follows from transfers into the open transaction.
func (b *bank) post(session *kgo.GroupTransactSession, fetches kgo.Fetches) (*kgo.FirstErrPromise, error) {
	written := new(kgo.FirstErrPromise)
	put := func(topic, key string, v any) {
		session.Produce(context.Background(), &kgo.Record{Topic: topic, Key: []byte(key), Value: encode(v)}, written.Promise())
	}
	var bad error
	fetches.EachRecord(func(r *kgo.Record) {
		var t transfer
		if err := errors.Join(json.Unmarshal(r.Value, &t), t.valid()); err != nil {
			bad = fmt.Errorf("%s-%d at %d: %w", r.Topic, r.Partition, r.Offset, err)
			return
		}
		put(validated, t.ID, t)
		put(notifications, t.ID, fmt.Sprintf("account %d sends %d.%02d to account %d", t.From, t.Cents/100, t.Cents%100, t.To))
		for _, e := range t.entries() {
			put(ledger, strconv.Itoa(e.Account), e)
		}
	})
	return written, bad
}
