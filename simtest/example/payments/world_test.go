package payments

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest/tallysim"
)

const (
	topic    = "payments"
	group    = "ledger"
	payments = 120
	accounts = 5
	// settleMax is how long, in simulated time, the consumers may take for the rest once
	// nothing fails any more: some sessions of the group.
	settleMax = 2 * time.Minute
)

// What the worlds assert.
const (
	noneTwice = "no account has more than was paid to it"
	allPosted = "every payment is posted"
)

// A consumer is Consume, or one of the wrong ones.
type consumer func(ctx context.Context, db Database, topic, group string, options ...kgo.Opt) error

// world lets two members of a group consume while payments are made and faults happen.
func world(consume consumer) func(c *tallysim.Cluster) {
	return func(c *tallysim.Cluster) {
		c.Topic(topic, 3)
		books := &books{store: c.Store("ledger"), paid: map[string]int64{}}
		for _, name := range []string{"consumer-1", "consumer-2"} {
			c.Go(name, func(p *tallysim.Process) error {
				return consume(p.Context(), database{books.store}, topic, group, p.KafkaOptions()...)
			})
		}
		c.Check(noneTwice, books.noneTwice)
		c.Faults(tallysim.Everything)
		for i := range payments {
			p := Payment{ID: fmt.Sprintf("p%d", i), Account: fmt.Sprintf("account-%d", i%accounts), Cents: int64(1 + i%7)}
			books.pay(p)
			c.Produce(&kgo.Record{Topic: topic, Key: []byte(p.Account), Value: []byte(p.String())})
			time.Sleep(200 * time.Millisecond)
		}
		c.Eventually(allPosted, settleMax, books.allPosted)
	}
}

// database is the simulated one in the shape the program wants.
type database struct{ *tallysim.Store }

func (d database) Update(f func(tx Tx) error) error {
	return d.Store.Update(func(tx *tallysim.Tx) error { return f(tx) })
}

// books is what the test knows of the payments, beside what the program made of them.
type books struct {
	store *tallysim.Store

	mu   sync.Mutex // nothing blocks while it is held
	made []Payment
	paid map[string]int64 // by account
}

func (b *books) pay(p Payment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made = append(b.made, p)
	b.paid[p.Account] += p.Cents
}

func (b *books) noneTwice() error {
	return b.compare(func(balance, paid int64) bool { return balance <= paid })
}

func (b *books) allPosted() error {
	return b.compare(func(balance, paid int64) bool { return balance == paid })
}

// compare looks at the balances. Where some of the money is missing, its error names
// the payments that are not remembered as posted: one looks for them in the events.
func (b *books) compare(right func(balance, paid int64) bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	balances := b.store.Rows(balancePrefix)
	for i := range accounts {
		account := fmt.Sprintf("account-%d", i)
		balance, _ := strconv.ParseInt(balances[balancePrefix+account], 10, 64)
		if !right(balance, b.paid[account]) {
			return fmt.Errorf("%s has %d cents, %d were paid to it%s", account, balance, b.paid[account], b.missing(account, balance))
		}
	}
	return nil
}

func (b *books) missing(account string, balance int64) string {
	if balance >= b.paid[account] {
		return ""
	}
	posted := b.store.Rows(postedPrefix)
	var ids []string
	for _, p := range b.made {
		if _, ok := posted[postedPrefix+p.ID]; !ok && p.Account == account {
			ids = append(ids, p.ID)
		}
	}
	return fmt.Sprintf("; not posted: %v", ids)
}
