package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
)

// produceTransactional appends one batch to each partition, as one request of the second protocol version does, and gives the results.
func produceTransactional(e *Engine, p broker.TransactionalProducer, sequence int32, ps []broker.Partition) []error {
	wait := appendTransactional(e, p, sequence, ps)
	e.Appended(p.ID)
	return wait()
}

func appendTransactional(e *Engine, p broker.TransactionalProducer, sequence int32, ps []broker.Partition) (wait func() []error) {
	done := make(chan error, 1)
	errs := make([]error, len(ps))
	for i, at := range ps {
		b := batch.NewBuilder()
		b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Transactional = int64(p.Producer), int16(p.Epoch), sequence, true
		b.Append(batch.Record{Value: []byte("v"), Timestamp: 1000})
		e.Append(context.Background(), &broker.Append{Partition: at, Batch: b.Bytes(), TransactionalID: p.ID, Implicit: true, Together: true,
			Deadline: time.Now().Add(10 * time.Second), Done: func(_ broker.AppendResult, err error) { errs[i] = err; done <- nil }})
	}
	return func() []error {
		for range ps {
			<-done
		}
		return errs
	}
}

// newTeller makes a topic of some partitions on a cluster of one node, and a producer of the second protocol version.
func newTeller(t *testing.T, partitions int32) (ns []*testNode, p broker.TransactionalProducer, ps []broker.Partition) {
	t.Helper()
	ns = newTestCluster(t, 1)
	topic := createTopic(t, ns, "payments", partitions)
	for i := range partitions {
		ps = append(ps, broker.Partition{Topic: topic.ID, Index: i})
	}
	return ns, identified(t, ns[0].e), ps
}

func identified(t *testing.T, e *Engine) broker.TransactionalProducer {
	t.Helper()
	p := broker.TransactionalProducer{ID: "teller", Protocol: broker.ProtocolV2}
	eventually(t, "init", func() (err error) {
		p.Producer, p.Epoch, err = e.InitTransactional(context.Background(), &broker.InitTransactional{ID: p.ID, Timeout: time.Minute, Producer: -1, Epoch: -1})
		return err
	})
	return p
}

// The partitions of one request are made participants together, those on the coordinator's shard without a wait in between; a
// producer that was fenced is told so at each, wherever it lives.
func TestOneRequestAsksOnce(t *testing.T) {
	ns, p, ps := newTeller(t, 16)
	e, ctx := ns[0].e, context.Background()
	wait := appendTransactional(e, p, 0, ps)
	e.asks.mu.Lock()
	if open := e.asks.open[p.ID]; len(open) != 1 || len(open[0].waiting) != len(ps) {
		t.Errorf("%d asked for", len(open))
	}
	e.asks.mu.Unlock()
	e.Appended(p.ID)
	for i, err := range wait() {
		if err != nil {
			t.Fatalf("partition %d: %v", i, err)
		}
	}
	old := p
	if _, epoch, err := e.EndTransaction(ctx, &broker.EndTransaction{TransactionalProducer: p, Commit: true}); err != nil {
		t.Fatal(err)
	} else {
		p.Epoch = epoch
	}
	for i, at := range ps {
		eventually(t, fmt.Sprintf("partition %d is read", i), func() error {
			if got, err := readCommitted(ns, at); err != nil || len(got) != 1 {
				return fmt.Errorf("read %v: %w", got, err)
			}
			return nil
		})
	}
	zombie := p
	p = identified(t, e)
	for _, x := range []struct {
		name     string
		p        broker.TransactionalProducer
		sequence int32
	}{{"of the last transaction", old, 1}, {"of the last client", zombie, 0}} {
		for i, err := range produceTransactional(e, x.p, x.sequence, ps) {
			if broker.CodeOf(err) != broker.CodeProducerFenced {
				t.Errorf("a producer %s at partition %d: %v", x.name, i, err)
			}
		}
	}
	for i, err := range produceTransactional(e, p, 0, ps) {
		if err != nil {
			t.Errorf("the new client at partition %d: %v", i, err)
		}
	}
}

// A producer whose transactions follow each other at once is never told to wait for acknowledgements, however long those are gathered.
func TestQuickProducerIsNotHeldUp(t *testing.T) {
	ns, p, ps := newTeller(t, 8)
	e, ctx := ns[0].e, context.Background()
	for n := range 300 {
		for i, err := range produceTransactional(e, p, 0, ps) {
			if err != nil {
				t.Fatalf("transaction %d, partition %d: %v", n, i, err)
			}
		}
		var err error
		if p.Producer, p.Epoch, err = e.EndTransaction(ctx, &broker.EndTransaction{TransactionalProducer: p, Commit: true}); err != nil {
			t.Fatalf("end of transaction %d: %v", n, err)
		}
	}
}
