package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/admin"
	"github.com/tallymq/tallymq/ops/client"
)

// What an operator sees of transactions, and that one is aborted from any node: its producer is told, what it wrote is never read, and the abort is
// counted with its reason where the id is coordinated.
func TestTransactionCommands(t *testing.T) {
	t.Parallel()
	a := administer(t)
	a.create("ledger", 3)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	producer, err := kgo.NewClient(kgo.SeedBrokers(a.seeds()...), kgo.TransactionalID("clerk"), kgo.DefaultProduceTopic("ledger"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	write := func(commit bool) error {
		t.Helper()
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for p := range int32(3) {
			if err := producer.ProduceSync(ctx, &kgo.Record{Partition: p, Value: []byte("x")}).FirstErr(); err != nil {
				return err
			}
		}
		if commit {
			return producer.EndTransaction(ctx, kgo.TryCommit)
		}
		return nil
	}
	run := func(f func(*client.Globals) error) (string, error) {
		var out bytes.Buffer
		err := f(&client.Globals{Bootstrap: a.seeds(), Out: &out})
		return out.String(), err
	}
	metric := func(name string) (sum float64) {
		for _, s := range a.nodes {
			sum += max(s.metric("tallymq_transactions_"+name), 0)
		}
		return sum
	}
	abort := func(s *server) (string, error) {
		web := httptest.NewServer(admin.Handler(s.node()))
		defer web.Close()
		return run((&client.TxnAbort{ID: "clerk", Admin: web.URL}).Run)
	}

	if err := write(true); err != nil {
		t.Fatal(err)
	}
	if _, err := abort(a.nodes[0]); err == nil || !strings.Contains(err.Error(), "CompleteCommit") {
		t.Errorf("what is committed was aborted: %v", err)
	}
	for i, s := range a.nodes {
		if err := write(false); err != nil {
			t.Fatal(err)
		}
		out, err := run((&client.TxnList{State: []string{"Ongoing"}}).Run)
		if err != nil || !strings.Contains(out, "clerk") {
			t.Fatalf("tallymq txn list: %v\n%s", err, out)
		}
		out, err = run((&client.TxnDescribe{ID: "clerk"}).Run)
		if err != nil || !strings.Contains(out, "ledger/0 ledger/1 ledger/2") {
			t.Fatalf("tallymq txn describe: %v\n%s", err, out)
		}
		if open := metric("open"); open != 1 {
			t.Errorf("%v transactions are open, says the metric", open)
		}
		if out, err := abort(s); err != nil || !strings.Contains(out, "clerk") {
			t.Fatalf("tallymq txn abort: %v\n%s", err, out)
		}
		if err := producer.EndTransaction(ctx, kgo.TryCommit); err == nil {
			t.Fatal("an aborted transaction was committed")
		}
		if err := producer.EndTransaction(ctx, kgo.TryAbort); err != nil && !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.ProducerFenced) {
			t.Fatal(err)
		}
		if n := metric(`aborted_total{reason="operator"}`); n > float64(i+1) {
			t.Errorf("%v aborts are counted after %d", n, i+1)
		}
		producer.Close()
		if producer, err = kgo.NewClient(kgo.SeedBrokers(a.seeds()...), kgo.TransactionalID("clerk"), kgo.DefaultProduceTopic("ledger"), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
			t.Fatal(err)
		}
	}
	if n := metric(`aborted_total{reason="operator"}`); n == 0 {
		t.Error("no abort of an operator is counted")
	}
	if err := write(false); err != nil {
		t.Fatal(err)
	}
	producer.Close()
	if producer, err = kgo.NewClient(kgo.SeedBrokers(a.seeds()...), kgo.TransactionalID("clerk"), kgo.DefaultProduceTopic("ledger"), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	if err := write(true); err != nil { // its predecessor's is aborted
		t.Fatal(err)
	}
	if n := metric(`aborted_total{reason="init"}`); n != 1 {
		t.Errorf("%v transactions were aborted by a new producer, says the metric", n)
	}
	if n := metric("committed_total"); n != 2 {
		t.Errorf("%v transactions were committed, says the metric", n)
	}
	if _, err := run((&client.TxnDescribe{ID: "nobody"}).Run); err == nil || !strings.Contains(err.Error(), `no transactional id "nobody"`) {
		t.Errorf("describe of nobody: %v", err)
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(a.seeds()...), kgo.ConsumeTopics("ledger"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for n := 0; n < 6; {
		fetches := reader.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d records of two transactions were read", n)
		}
		n += fetches.NumRecords()
		if n > 6 {
			t.Fatal(fmt.Sprint(n, " records were read; two transactions of three were committed"))
		}
	}
}
