package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/tallymq/tallymq/ops/local"
)

var errEnded = errors.New("the connection ended")

// work takes movements, connection after connection.
func (b *bank) work(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil && b.books.failed() == nil {
		if err := b.workOver(ctx, r); err != nil && ctx.Err() == nil {
			b.ended.Add(1)
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
		}
	}
}

func (b *bank) workOver(ctx context.Context, r *rand.Rand) error {
	c, ch, err := local.DialRabbit(b.urls, r)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := ch.Qos(1+r.IntN(20), 0, false); err != nil {
		return err
	}
	ds, err := ch.Consume(movements, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	var mine []amqp.Delivery // in no order: an account has one at most
	for {
		select {
		case d, open := <-ds:
			if !open {
				return errEnded
			}
			if err := b.take(d); err == nil {
				mine = append(mine, d)
			} else if !errors.Is(err, errRefused) {
				return err
			}
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(r.IntN(5)) * time.Millisecond):
		}
		if len(mine) == 0 || r.IntN(2) == 0 {
			continue
		}
		i := r.IntN(len(mine))
		d := mine[i]
		mine = append(mine[:i], mine[i+1:]...)
		if err := b.settle(d, r); err != nil {
			return err
		}
	}
}

// take notes a delivery.
func (b *bank) take(d amqp.Delivery) error {
	account, n, fence, err := parse(d)
	if err != nil {
		return b.books.fail("%w", err)
	}
	return b.books.deliver(account, n, fence, d.Redelivered)
}

// settle enters a movement and acknowledges it, or gives it back, or has the connection end.
func (b *bank) settle(d amqp.Delivery, r *rand.Rand) error {
	switch p := r.IntN(1000); {
	case p < 5:
		return errEnded
	case p < 50:
		b.books.gaveBack()
		return d.Nack(false, true)
	case p < 80:
		b.books.gaveBack()
		return d.Reject(true)
	}
	account, n, fence, err := parse(d)
	if err != nil {
		return err
	}
	if err := b.books.enter(account, n, fence); err != nil {
		return nil // it is another's by now
	}
	return d.Ack(false)
}

func parse(d amqp.Delivery) (account string, n int, fence int64, err error) {
	account, hasAccount := d.Headers["account"].(string)
	fence, hasFence := d.Headers["x-tally-fence"].(int64)
	n, err = strconv.Atoi(string(d.Body))
	if err != nil || !hasAccount || !hasFence {
		return "", 0, 0, fmt.Errorf("a delivery without account, number or fence: %v %q", d.Headers, d.Body)
	}
	return account, n, fence, nil
}
