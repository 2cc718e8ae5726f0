package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/client"
)

// transactions are the works that count transactions: how many records each has, and over how many partitions they go (0: all).
var transactions = map[string]struct{ records, partitions int }{
	"txn1": {1, 0}, "txn10": {10, 0}, "txn100": {100, 0}, "txn1-one": {1, 1}, "txn10-one": {10, 1}, "txn100-one": {100, 1},
}

const (
	// readProcessWrite is the work in which a transaction has what one poll gave, at most readProcessRecords, and its offsets.
	readProcessWrite   = "read-process-write"
	readProcessRecords = 100
)

func unique() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// transact measures transactions of some records: from the begin to the answer that it is committed.
func (b *Bench) transact(ctx context.Context, g *client.Globals, records, partitions int) (Result, error) {
	if partitions == 0 {
		partitions = int(b.Partitions)
	}
	c, cancel := context.WithCancel(ctx)
	defer cancel()
	var m meter
	var wg sync.WaitGroup
	for i := range b.Clients {
		cl, err := g.Client(kgo.DefaultProduceTopic(b.Topic), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0),
			kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ManualFlushing(), kgo.TransactionalID("bench-"+unique()))
		if err != nil {
			return Result{}, err
		}
		defer cl.Close()
		value := b.value()
		wg.Go(func() {
			for n := i; c.Err() == nil; {
				began := time.Now()
				err := cl.BeginTransaction()
				for range records {
					cl.Produce(c, &kgo.Record{Value: value, Partition: int32(n % partitions)}, nil)
					n++
				}
				if err == nil {
					err = cl.Flush(c)
				}
				if err == nil {
					err = cl.EndTransaction(c, kgo.TryCommit)
				}
				m.add(time.Since(began), err)
				if partitions == 1 {
					n = i // each client has its partition
				}
			}
		})
	}
	r := b.run(ctx, g, &m, b.Clients)
	cancel()
	wg.Wait()
	r.Size *= records
	return r, nil
}

// process measures transactions that read what is in the topic, write as much to another, and commit the offsets.
func (b *Bench) process(ctx context.Context, g *client.Globals) (Result, error) {
	adm, done, err := g.Admin()
	if err != nil {
		return Result{}, err
	}
	defer done()
	out := b.Topic + "-" + unique()
	if _, err := adm.CreateTopic(ctx, b.Partitions, b.Replicas, nil, out); err != nil {
		return Result{}, fmt.Errorf("create topic %s: %w", out, err)
	}
	defer func() { _, _ = adm.DeleteTopics(context.WithoutCancel(ctx), out) }()
	c, cancel := context.WithCancel(ctx)
	defer cancel()
	var m meter
	var wg sync.WaitGroup
	group := "bench-" + unique()
	for range b.Clients {
		opts := []kgo.Opt{kgo.SeedBrokers(g.Bootstrap...), kgo.ClientID("tallymq-cli"), kgo.DefaultProduceTopic(out), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0),
			kgo.TransactionalID("bench-" + unique()), kgo.ConsumerGroup(group), kgo.ConsumeTopics(b.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.FetchIsolationLevel(kgo.ReadCommitted())}
		s, err := kgo.NewGroupTransactSession(opts...)
		if err != nil {
			return Result{}, err
		}
		defer s.Close()
		wg.Go(func() {
			for c.Err() == nil {
				fetches := s.PollRecords(c, readProcessRecords)
				if fetches.NumRecords() == 0 {
					continue
				}
				began := time.Now()
				err := s.Begin()
				fetches.EachRecord(func(r *kgo.Record) { s.Produce(c, &kgo.Record{Value: r.Value}, nil) })
				if err == nil {
					_, err = s.End(c, kgo.TryCommit)
				}
				m.add(time.Since(began), err)
			}
		})
	}
	r := b.run(ctx, g, &m, b.Clients)
	cancel()
	wg.Wait()
	r.Size *= readProcessRecords
	return r, nil
}
