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

// round is what a client sends together, and waits for: in a transaction, or plainly, to see what the transaction costs.
type round struct {
	records int
	plain   bool
	one     bool // each client has one partition; else the records go over all
	shard   bool // all partitions are on one shard, with what coordinates the transaction
}

// rounds are the works that count them.
var rounds = func() map[string]round {
	m := map[string]round{}
	for _, n := range []int{1, 10, 100} {
		for _, plain := range []bool{false, true} {
			name := map[bool]string{false: "txn", true: "plain"}[plain]
			m[fmt.Sprintf("%s%d", name, n)] = round{records: n, plain: plain}
			m[fmt.Sprintf("%s%d-one", name, n)] = round{records: n, plain: plain, one: true}
			m[fmt.Sprintf("%s%d-shard", name, n)] = round{records: n, plain: plain, shard: true}
		}
	}
	return m
}()

// colocation is what tally.colocate says for the works on one shard: names that begin with it and -- live there.
const colocation = "bench"

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

// transact measures rounds: from the begin to the answer that it is committed, or that all is written.
func (b *Bench) transact(ctx context.Context, g *client.Globals, x round) (Result, error) {
	topic, partitions := b.Topic, int(b.Partitions)
	if x.one {
		partitions = 1
	}
	if x.shard {
		topic += "-shard"
		if err := b.create(ctx, g, topic, map[string]string{"tally.colocate": colocation}); err != nil {
			return Result{}, err
		}
	}
	c, cancel := context.WithCancel(ctx)
	defer cancel()
	var m meter
	var wg sync.WaitGroup
	for i := range b.Clients {
		opts := []kgo.Opt{kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0),
			kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ManualFlushing()}
		if !x.plain {
			opts = append(opts, kgo.TransactionalID(colocation+"--"+unique()))
		}
		cl, err := g.Client(opts...)
		if err != nil {
			return Result{}, err
		}
		defer cl.Close()
		value := b.value()
		wg.Go(func() {
			for n := i; c.Err() == nil; {
				began := time.Now()
				err := x.send(c, cl, func() *kgo.Record {
					n++
					return &kgo.Record{Value: value, Partition: int32((n - 1) % partitions)}
				})
				m.add(time.Since(began), err)
				if x.one {
					n = i // each client has its partition
				}
			}
		})
	}
	r := b.run(ctx, g, &m, b.Clients)
	cancel()
	wg.Wait()
	r.Size *= x.records
	return r, nil
}

// send is one round.
func (x round) send(ctx context.Context, cl *kgo.Client, next func() *kgo.Record) error {
	if !x.plain {
		if err := cl.BeginTransaction(); err != nil {
			return err
		}
	}
	var written kgo.FirstErrPromise
	for range x.records {
		cl.Produce(ctx, next(), written.Promise())
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if err := written.Err(); err != nil || x.plain {
		return err
	}
	return cl.EndTransaction(ctx, kgo.TryCommit)
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
