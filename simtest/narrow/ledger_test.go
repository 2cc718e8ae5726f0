package narrow

import (
	"errors"
	"fmt"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/tallymq/tallymq/simtest/check"
)

// enters notes a publish to the ledger, under a key.
func (r *rabbit) enters(value, key string, tx int) (at int, p client.Publishing) {
	at, p = r.publish(ledger, value, tx)
	p.CorrelationId = key
	r.x.mu.Lock()
	defer r.x.mu.Unlock()
	r.x.h.Publishes[at].Key = key
	return at, p
}

// fenceOf is the fence of a delivery of a queue that keeps the order of keys; 0: it has none.
func fenceOf(d *client.Delivery) uint64 {
	f, _ := d.Headers["x-tally-fence"].(int64)
	return uint64(f)
}

// clerk takes from the ledger, together with others, and acknowledges, gives back, or dies; every other one in transactions that put
// something into "notice" for what it takes.
func clerk(r *rabbit, c *client.Connection) error {
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	tx := r.rng.IntN(2) == 0
	if tx {
		err = ch.Tx()
	}
	if err := errors.Join(err, ch.Qos(1+r.rng.IntN(6), 0, false)); err != nil {
		return err
	}
	since := r.x.w.Now()
	ds, err := ch.Consume(ledger, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	var mine []client.Delivery
	for !stopped(r.x.stop, 0) {
		select {
		case d, open := <-ds:
			if !open {
				return errors.New("the deliveries ended")
			}
			r.given(ledger, &d, since, false)
			mine = append(mine, d)
		case <-time.After(time.Duration(r.rng.Int64N(int64(100 * time.Millisecond)))):
		}
		if len(mine) == 0 || r.rng.IntN(3) == 0 {
			continue
		}
		at := r.rng.IntN(len(mine))
		d := mine[at]
		mine = append(mine[:at], mine[at+1:]...)
		switch n := r.rng.IntN(40); {
		case n < 30 && tx:
			err = r.settleInTransaction(ch, &d)
		case n < 30:
			r.removed(ledger, string(d.Body), -1)
			err = d.Ack(false)
		case n == 39:
			return nil
		case !tx && n < 35:
			err = d.Nack(false, true)
		case !tx:
			err = d.Reject(true)
		default:
			if err = d.Nack(false, true); err == nil {
				err = ch.TxCommit()
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settleInTransaction acknowledges a message of the ledger in a transaction over shards.
func (r *rabbit) settleInTransaction(ch *client.Channel, d *client.Delivery) error {
	r.x.mu.Lock()
	tx := len(r.x.h.Transactions)
	r.x.h.Transactions = append(r.x.h.Transactions, check.QueueTransaction{Span: check.Span{Call: r.x.w.Now(), Return: 1 << 62}, Client: r.session(), Outcome: check.Unknown})
	r.x.mu.Unlock()
	var err error
	for _, q := range queues[1:] { // on another shard than the ledger, one of them
		_, p := r.publish(q, fmt.Sprintf("%s>%s-%d", d.Body, r.name, r.sent), tx)
		err = errors.Join(err, ch.Publish("", q, true, false, p))
	}
	if err == nil {
		r.removed(ledger, string(d.Body), tx)
		err = d.Ack(false)
	}
	asked := err == nil
	if asked {
		err = ch.TxCommit()
	}
	var refused *client.Error
	outcome := check.Unknown
	switch {
	case err == nil:
		outcome = check.OK
	case !asked, errors.As(err, &refused) && refused.Code == client.PreconditionFailed:
		outcome = check.Failed
	}
	r.x.mu.Lock()
	defer r.x.mu.Unlock()
	t := &r.x.h.Transactions[tx]
	t.Outcome, t.Return = outcome, r.x.w.Now()
	return err
}

// hotKey holds a message of a key that has others, and insists on getting one of another key.
func (x *rabbits) hotKey() {
	p := x.w.Process("hot")
	r := &rabbit{x: x, p: p, rng: x.w.Rand("hot"), name: "hot"}
	_ = p.Await(p.Start(func() error {
		why := errors.New("it was not tried")
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Second) {
			c, err := r.dial()
			if err != nil {
				continue
			}
			why = r.holds(c)
			c.Close()
			if why == nil {
				return nil
			}
		}
		x.w.Anomaly("blocked-key", probe, "a message of an idle key is not delivered while a busy one waits: %v", why)
		return nil
	}))
}

func (r *rabbit) holds(c *client.Connection) error {
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	if _, err := ch.QueuePurge(probe, false); err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	for _, key := range []string{"hot", "hot", "hot", "cold"} {
		d, err := ch.PublishWithDeferredConfirm("", probe, true, false, client.Publishing{DeliveryMode: client.Persistent, CorrelationId: key})
		if err != nil {
			return err
		}
		select {
		case <-d.Done():
		case <-time.After(10 * time.Second):
			return errors.New("no confirm")
		}
	}
	ds, err := ch.Consume(probe, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for late := time.After(20 * time.Second); ; {
		select {
		case d, open := <-ds:
			switch {
			case !open:
				return errors.New("the deliveries ended")
			case d.CorrelationId == "cold":
				return nil
			}
		case <-late:
			return errors.New("nothing came of the cold key")
		}
	}
}
