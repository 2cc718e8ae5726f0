package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Txn is the txn command.
type Txn struct {
	List     TxnList     `cmd:"" help:"List transactional ids."`
	Describe TxnDescribe `cmd:"" help:"Show a transactional id and what its open transaction covers."`
	Abort    TxnAbort    `cmd:"" help:"Abort the open transaction of an id, and fence its producer."`
}

// TxnList lists transactional ids.
type TxnList struct {
	State []string `help:"Only those in one of these states: Empty, Ongoing, CompleteCommit, CompleteAbort."`
}

// Run lists them.
func (c *TxnList) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	found, err := adm.ListTransactions(ctx, nil, c.State)
	if err != nil {
		return fmt.Errorf("list transactions: %w", err)
	}
	rows, out := [][]string{}, []map[string]any{}
	for _, x := range found.Sorted() {
		rows = append(rows, []string{x.TxnID, x.State, fmt.Sprint(x.ProducerID), fmt.Sprint(x.Coordinator)})
		out = append(out, map[string]any{"id": x.TxnID, "state": x.State, "producer": x.ProducerID, "coordinator": x.Coordinator})
	}
	return g.Print(out, []string{"ID", "STATE", "PRODUCER", "COORDINATOR"}, rows)
}

// TxnDescribe shows one transactional id.
type TxnDescribe struct {
	ID string `arg:"" help:"The transactional id."`
}

// Run shows it.
func (c *TxnDescribe) Run(g *Globals) error {
	d, err := describeTxn(g, c.ID)
	if err != nil {
		return err
	}
	age := time.Duration(0)
	if d.StartTimestamp > 0 {
		age = max(time.Since(time.UnixMilli(d.StartTimestamp)), 0).Round(time.Millisecond)
	}
	var covers []string
	for topic, ps := range d.Topics { //lint:sorted below
		for p := range ps { //lint:sorted below
			covers = append(covers, fmt.Sprintf("%s/%d", topic, p))
		}
	}
	slices.Sort(covers)
	timeout := time.Duration(d.TimeoutMillis) * time.Millisecond
	out := map[string]any{"id": d.TxnID, "state": d.State, "producer": d.ProducerID, "epoch": d.ProducerEpoch, "coordinator": d.Coordinator, "timeout_ms": d.TimeoutMillis,
		"open_ms": age.Milliseconds(), "partitions": covers}
	open := "-"
	if age > 0 {
		open = age.String()
	}
	return g.Print(out, []string{"ID", "STATE", "PRODUCER", "EPOCH", "COORDINATOR", "TIMEOUT", "OPEN FOR", "PARTITIONS"},
		[][]string{{d.TxnID, d.State, fmt.Sprint(d.ProducerID), fmt.Sprint(d.ProducerEpoch), fmt.Sprint(d.Coordinator), timeout.String(), open, strings.Join(covers, " ")}})
}

// describeTxn asks an id's coordinator.
func describeTxn(g *Globals, id string) (d kadm.DescribedTransaction, err error) {
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return d, err
	}
	defer done()
	all, err := adm.DescribeTransactions(ctx, id)
	if err == nil {
		d = all[id]
		err = d.Err
	}
	if errors.Is(err, kerr.TransactionalIDNotFound) {
		return d, fmt.Errorf("there is no transactional id %q, or it was forgotten", id)
	}
	if err != nil {
		return d, fmt.Errorf("describe transaction of %s: %w", id, err)
	}
	return d, nil
}

// TxnAbort aborts.
type TxnAbort struct {
	ID    string `arg:"" help:"The transactional id."`
	Admin string `default:"http://127.0.0.1:8080" env:"TALLYMQ_ADMIN" help:"Admin address of any node."`
}

// Run aborts the transaction that it sees: not one that the producer opens meanwhile.
func (c *TxnAbort) Run(g *Globals) error {
	d, err := describeTxn(g, c.ID)
	if err != nil {
		return err
	}
	if d.State != "Ongoing" {
		return fmt.Errorf("no transaction of %s is open: it is %s; what is decided stays", c.ID, d.State)
	}
	a := &AdminGlobals{Admin: c.Admin, JSON: g.JSON, Globals: *g}
	var answer struct{ Aborted string }
	raw, err := a.ask(http.MethodPost, "/v1/transaction/abort", url.Values{"id": {c.ID}, "producer": {fmt.Sprint(d.ProducerID)}, "epoch": {fmt.Sprint(d.ProducerEpoch)}}, &answer)
	if err != nil {
		return err
	}
	return a.print(raw, []string{"ABORTED"}, [][]string{{answer.Aborted}})
}
