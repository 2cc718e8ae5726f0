package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
)

// mover moves messages from one queue to all others in transactions of a few, now and then rolls back, and begins anew when its
// connection ends.
type mover struct {
	t         *testing.T
	s         *server
	from      string
	to        []string
	stop      atomic.Bool
	committed atomic.Int64
	ended     atomic.Int64 // connections
}

func (m *mover) run() {
	for !m.stop.Load() {
		if err := m.once(); err != nil {
			m.ended.Add(1)
			time.Sleep(50 * time.Millisecond)
		}
	}
}

func (m *mover) once() error {
	conn, err := client.Dial("amqp://guest:guest@" + m.s.cfg.AMQPListen + "/")
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Tx(); err != nil {
		return err
	}
	if err := ch.Qos(5, 0, false); err != nil {
		return err
	}
	ds, err := ch.Consume(m.from, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for n := 1; !m.stop.Load(); n++ {
		var d client.Delivery
		var open bool
		select {
		case d, open = <-ds:
			if !open {
				return errors.New("the deliveries ended")
			}
		case <-time.After(time.Second):
			continue
		}
		move := func() error {
			for _, q := range m.to {
				if err := ch.Publish("", q, true, false, client.Publishing{DeliveryMode: client.Persistent, Body: d.Body}); err != nil {
					return err
				}
			}
			return d.Ack(false)
		}
		if err := move(); err != nil {
			return err
		}
		if n%5 == 0 { // it never was; the delivery is ours as before
			if err := ch.TxRollback(); err != nil {
				return err
			}
			if err := move(); err != nil {
				return err
			}
		}
		if err := ch.TxCommit(); err != nil {
			return err
		}
		m.committed.Add(1)
	}
	return nil
}

// feeder publishes numbers with confirms, connection after connection; true are those that were confirmed.
type feeder struct {
	s     []*server
	queue string
	stop  atomic.Bool
	sent  map[string]bool
}

func (f *feeder) run() {
	for n := 0; !f.stop.Load(); n++ {
		_ = f.once(f.s[n%len(f.s)])
	}
}

func (f *feeder) once(s *server) error {
	conn, err := client.Dial("amqp://guest:guest@" + s.cfg.AMQPListen + "/")
	if err != nil {
		time.Sleep(50 * time.Millisecond)
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	for !f.stop.Load() {
		body := fmt.Sprint(len(f.sent))
		f.sent[body] = false
		d, err := ch.PublishWithDeferredConfirm("", f.queue, true, false, client.Publishing{DeliveryMode: client.Persistent, Body: []byte(body)})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		f.sent[body], err = d.WaitContext(ctx)
		cancel()
		if err != nil {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

// A transaction over queues of several shards is all or nothing for a client of RabbitMQ, also while each node is stopped in turn:
// messages are moved all the while, by the other nodes while one is down.
func TestRabbitTransactions(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			t.Parallel()
			c := newServers(t, nodes, nil)
			r := newRabbit(t, c.nodes[0])
			queues := []string{"in", "ledger", "notice", "audit", "copy"} // over four shards
			for _, q := range queues {
				r.declare(q)
			}
			var movers []*mover
			var wg sync.WaitGroup
			f := &feeder{s: c.nodes, queue: "in", sent: map[string]bool{}}
			wg.Go(f.run)
			for _, s := range c.nodes {
				m := &mover{t: t, s: s, from: "in", to: queues[1:]}
				movers = append(movers, m)
				wg.Go(m.run)
			}
			total := func() (committed, ended int64) {
				for _, m := range movers {
					committed, ended = committed+m.committed.Load(), ended+m.ended.Load()
				}
				return committed, ended
			}
			more := func(what string) {
				t.Helper()
				before, _ := total()
				eventually(t, "messages are moved "+what, func() error {
					if n, _ := total(); n < before+20 {
						return fmt.Errorf("%d, %d before", n, before)
					}
					return nil
				})
			}
			for _, s := range c.nodes {
				more("before a node stops")
				s.stop()
				if nodes > 1 {
					more("while it is down")
				}
				s.restart()
				c.ready()
			}
			more("in the end")
			f.stop.Store(true)
			for _, m := range movers {
				m.stop.Store(true)
			}
			wg.Wait()
			committed, ended := total()
			t.Logf("%d messages, %d transactions committed, %d connections ended", len(f.sent), committed, ended)
			where := map[string][]string{}
			for _, q := range queues {
				drainRabbit(t, c.nodes[0], q, where)
			}
			everywhere := slices.Sorted(slices.Values(queues[1:]))
			for body, confirmed := range f.sent {
				got := slices.Sorted(slices.Values(where[body]))
				if !slices.Equal(got, []string{"in"}) && !slices.Equal(got, everywhere) && (confirmed || len(got) > 0) {
					t.Errorf("message %s, confirmed %v, is in %v", body, confirmed, got)
				}
			}
		})
	}
}

// drainRabbit takes all that a queue has, until none came for longer than a lease or an open transaction may last.
func drainRabbit(t *testing.T, s *server, queue string, where map[string][]string) {
	t.Helper()
	r := newRabbit(t, s)
	defer r.conn.Close()
	for quiet := time.Now(); time.Since(quiet) < 3*time.Second; {
		d, ok, err := r.ch.Get(queue, true)
		r.must(err)
		if !ok {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		quiet = time.Now()
		where[string(d.Body)] = append(where[string(d.Body)], queue)
	}
}
