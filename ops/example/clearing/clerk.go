package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var errEnded = errors.New("the connection ended")

// send sends orders until the duration is over. One whose confirm was lost may be there or not: it is not sent again.
func (h *house) send(duration time.Duration, r *rand.Rand) {
	n := 0
	for end := time.Now().Add(duration); time.Now().Before(end); {
		if err := h.sendOver(end, r, &n); err != nil {
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// sendOver sends over one connection.
func (h *house) sendOver(end time.Time, r *rand.Rand, n *int) error {
	c, ch, err := h.dial(r)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := ch.Confirm(false); err != nil {
		return err
	}
	tick := time.NewTicker(time.Second / time.Duration(h.rate))
	defer tick.Stop()
	for time.Now().Before(end) {
		<-tick.C
		*n++
		id := fmt.Sprintf("o%06d", *n)
		h.note(id, false)
		d, err := ch.PublishWithDeferredConfirm("", orders, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, MessageId: id, Body: []byte(id)})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		ok, err := d.WaitContext(ctx)
		cancel()
		if err != nil {
			return err
		}
		if ok {
			h.note(id, true)
		}
	}
	return nil
}

func (h *house) note(id string, confirmed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent[id] = confirmed
}

// clerk clears orders, connection after connection.
func (h *house) clerk(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		if err := h.clear(ctx, r); err != nil && ctx.Err() == nil {
			h.ended.Add(1)
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
		}
	}
}

func (h *house) clear(ctx context.Context, r *rand.Rand) error {
	c, ch, err := h.dial(r)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(ch.Tx(), ch.Qos(20, 0, false)); err != nil {
		return err
	}
	ds, err := ch.Consume(orders, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		var taken []amqp.Delivery
		select {
		case d, open := <-ds:
			if !open {
				return errEnded
			}
			taken = append(taken, d)
		case <-ctx.Done():
			return nil
		}
	more:
		for n := 1 + r.IntN(5); len(taken) < n; {
			select {
			case d, open := <-ds:
				if !open {
					return errEnded
				}
				taken = append(taken, d)
			default:
				break more
			}
		}
		if err := stage(ch, taken); err != nil {
			return err
		}
		switch r.IntN(50) {
		case 0:
			return errEnded // nothing of it happened
		case 1, 2, 3, 4:
			if err := ch.TxRollback(); err != nil {
				return err
			}
			h.rolledBack.Add(1)
			if err := stage(ch, taken); err != nil {
				return err
			}
		}
		if err := ch.TxCommit(); err != nil {
			return err // not done, or unknown: whichever it is, it is all or nothing
		}
		h.committed.Add(1)
	}
	return nil
}

// stage publishes what follows from orders, and acknowledges them.
func stage(ch *amqp.Channel, taken []amqp.Delivery) error {
	for _, d := range taken {
		id := string(d.Body)
		for _, q := range []string{ledger, notices} {
			if err := ch.Publish("", q, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, MessageId: id, Body: d.Body}); err != nil {
				return err
			}
		}
		p := amqp.Publishing{DeliveryMode: amqp.Persistent, MessageId: id, Body: d.Body, Headers: amqp.Table{"x-kafka-key": id}}
		if err := ch.Publish("amq.kafka", cleared, true, false, p); err != nil {
			return err
		}
		if err := d.Ack(false); err != nil {
			return err
		}
	}
	return nil
}
