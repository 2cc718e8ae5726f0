package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	messageBytes = 1024
	connections  = 4
	inFlight     = 100
	prefetch     = 200
)

// result is one measurement: confirmed messages (or committed transactions) per second, and their latency in ms.
type result struct{ rate, consumed, p50, p99 float64 }

// work is one thing to measure.
type work struct {
	name      string
	queues    int
	consumers int
	tx        int // publishes of a transaction; 0: with confirms
}

var works = []work{{name: "confirm", queues: 1}, {name: "confirm8", queues: 8}, {name: "flow", queues: 8, consumers: 4}, {name: "tx10", queues: 1, tx: 10}}

// meter counts while it counts.
type meter struct {
	counting       atomic.Bool
	done, consumed atomic.Int64
	mu             sync.Mutex
	lat            []time.Duration
	failed         error
}

func (m *meter) add(d time.Duration) {
	if m.counting.Load() {
		m.done.Add(1)
		m.mu.Lock()
		m.lat = append(m.lat, d)
		m.mu.Unlock()
	}
}

func (m *meter) fail(err error) {
	m.mu.Lock()
	m.failed = errors.Join(m.failed, err)
	m.mu.Unlock()
}

func (w work) run(t target, urls []string, duration time.Duration) (result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	queues := make([]string, w.queues)
	for i := range queues {
		queues[i] = fmt.Sprintf("%s-%d", w.name, i)
		if err := declare(urls[i%len(urls)], queues[i], t.args); err != nil {
			return result{}, err
		}
	}
	m := &meter{}
	var wg sync.WaitGroup
	for i := range w.consumers {
		wg.Go(func() { w.consume(ctx, urls[i%len(urls)], queues, i, m) })
	}
	for i := range connections {
		wg.Go(func() {
			var err error
			if w.tx > 0 {
				err = w.transact(ctx, urls[i%len(urls)], queues[i%len(queues)], m)
			} else {
				err = w.confirm(ctx, urls[i%len(urls)], queues, i, m)
			}
			if err != nil && ctx.Err() == nil {
				m.fail(err)
			}
		})
	}
	time.Sleep(duration / 3)
	m.counting.Store(true)
	began := time.Now()
	time.Sleep(duration)
	m.counting.Store(false)
	took := time.Since(began).Seconds()
	cancel()
	wg.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil || len(m.lat) == 0 {
		return result{}, errors.Join(errors.New("nothing was done"), m.failed)
	}
	slices.Sort(m.lat)
	at := func(p int) float64 { return float64(m.lat[len(m.lat)*p/100].Microseconds()) / 1e3 }
	return result{rate: float64(m.done.Load()) / took, consumed: float64(m.consumed.Load()) / took, p50: at(50), p99: at(99)}, nil
}

func declare(url, queue string, args map[string]any) error {
	c, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	_, err = ch.QueueDeclare(queue, true, false, false, false, args)
	return err
}

func message() amqp.Publishing {
	p := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: make([]byte, messageBytes)}
	_, _ = rand.Read(p.Body) // never fails
	return p
}

// confirm publishes with so many unconfirmed.
func (w work) confirm(ctx context.Context, url string, queues []string, first int, m *meter) error {
	c, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, inFlight))
	p := message()
	sent := make([]time.Time, inFlight)
	for n := uint64(1); ctx.Err() == nil; n++ {
		if n > inFlight {
			x, open := <-confirms
			if !open || !x.Ack {
				return errors.New("not confirmed")
			}
			m.add(time.Since(sent[x.DeliveryTag%inFlight]))
		}
		sent[n%inFlight] = time.Now()
		if err := ch.PublishWithContext(ctx, "", queues[(first+int(n))%len(queues)], false, false, p); err != nil {
			return err
		}
	}
	return nil
}

// transact publishes in transactions, one after the other.
func (w work) transact(ctx context.Context, url, queue string, m *meter) error {
	c, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	if err := ch.Tx(); err != nil {
		return err
	}
	p := message()
	for ctx.Err() == nil {
		began := time.Now()
		for range w.tx {
			if err := ch.PublishWithContext(ctx, "", queue, false, false, p); err != nil {
				return err
			}
		}
		if err := ch.TxCommit(); err != nil {
			return err
		}
		m.add(time.Since(began))
	}
	return nil
}

// consume takes from its share of the queues, and acknowledges each message.
func (w work) consume(ctx context.Context, url string, queues []string, which int, m *meter) {
	c, err := amqp.Dial(url)
	if err != nil {
		m.fail(err)
		return
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		m.fail(err)
		return
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		m.fail(err)
		return
	}
	all := make(chan amqp.Delivery)
	for i := which; i < len(queues); i += w.consumers {
		ds, err := ch.ConsumeWithContext(ctx, queues[i], "", false, false, false, false, nil)
		if err != nil {
			m.fail(err)
			return
		}
		go func() {
			for d := range ds {
				select {
				case all <- d:
				case <-ctx.Done():
				}
			}
		}()
	}
	for {
		select {
		case d := <-all:
			if err := d.Ack(false); err != nil {
				return
			}
			if m.counting.Load() {
				m.consumed.Add(1)
			}
		case <-ctx.Done():
			return
		}
	}
}
