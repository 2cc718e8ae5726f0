package narrow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
	"github.com/tallymq/tallymq/simtest/cluster"
)

// The queues: publishers fill the first; movers take from it into the next two, and into a topic of Kafka, in transactions; workers take
// from the second.
var queues = []string{"in", "mail", "notice"}

// dead is where "mail" sends what is rejected. In ledger the order of keys is kept; clerks compete for it. In probe it is tried, in the end,
// whether a key that waits keeps another one waiting.
const (
	dead   = "dead"
	ledger = "ledger"
	probe  = "probe"
)

// rabbits are clients of RabbitMQ, and what they saw.
type rabbits struct {
	*narrow
	h     check.QueueHistory
	died  map[string]bool // messages that a worker has rejected
	again int             // publishes whose confirm was lost
	stop  chan struct{}
}

// rabbit is one client process, connection after connection.
type rabbit struct {
	x    *rabbits
	p    *simtest.Process
	rng  *rand.Rand
	name string
	runs int
	sent int // publishes, ever

	unsure []published // of earlier connections: not confirmed
}

// begin starts a client that runs f with a connection after the other until the world's clients are to stop.
func (x *rabbits) begin(name string, f func(r *rabbit, c *client.Connection) error) <-chan error {
	x.mu.Lock()
	x.clients++
	p := x.w.Process(fmt.Sprintf("%s%d", name, x.clients))
	x.mu.Unlock()
	return p.Start(func() error {
		r := &rabbit{x: x, p: p, rng: x.w.Rand(p.Name()), name: p.Name()}
		for !stopped(x.stop, time.Duration(r.rng.Int64N(int64(200*time.Millisecond)))) {
			c, err := r.dial()
			if err != nil {
				continue
			}
			r.runs++
			err = f(r, c)
			if os.Getenv("TALLYMQ_SIM_LOG") != "" {
				fmt.Fprintf(os.Stderr, "%v %s: %v\n", x.w.Now(), r.name, err)
			}
			c.Close()
		}
		return nil
	})
}

// dial connects to some node.
func (r *rabbit) dial() (*client.Connection, error) {
	node := r.x.c.Names[r.rng.IntN(len(r.x.c.Names))]
	return client.DialConfig("amqp://guest:guest@"+cluster.AMQP(node)+"/", client.Config{
		Heartbeat: 2 * time.Second, Locale: "en_US",
		Dial: func(network, addr string) (net.Conn, error) {
			ctx, cancel := timeout(3 * time.Second)
			defer cancel()
			c, err := r.p.Host.Dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return c, c.SetDeadline(time.Now().Add(5 * time.Second)) // of the handshake: the client lifts it
		}})
}

// session is one channel's name in the history.
func (r *rabbit) session() string { return fmt.Sprintf("%s/%d", r.name, r.runs) }

// publish notes a publish, and gives its place and what to send.
func (r *rabbit) publish(queue, value string, tx int) (at int, p client.Publishing) {
	r.sent++
	r.x.mu.Lock()
	defer r.x.mu.Unlock()
	r.x.h.Publishes = append(r.x.h.Publishes, check.Publish{Span: check.Span{Call: r.x.w.Now(), Return: 1 << 62}, Publisher: r.session(), Sequence: r.sent,
		Queue: queue, Value: value, Outcome: check.Unknown, Transaction: tx})
	return len(r.x.h.Publishes) - 1, client.Publishing{DeliveryMode: client.Persistent, MessageId: value, Body: []byte(value)}
}

// given notes a delivery. What a message says is what it is called.
func (r *rabbit) given(queue string, d *client.Delivery, since time.Duration, final bool) string {
	r.x.mu.Lock()
	defer r.x.mu.Unlock()
	value := string(d.Body)
	if d.MessageId != value || d.RoutingKey != queue {
		r.x.w.Anomaly("phantom-message", queue, "%s was given %q with the id %q and the key %q", r.name, value, d.MessageId, d.RoutingKey)
	}
	r.x.h.Deliveries = append(r.x.h.Deliveries, check.Delivery{At: r.x.w.Now(), Since: since, Consumer: r.session(), Queue: queue, Value: value, Redelivered: d.Redelivered, Final: final, Fence: fenceOf(d)})
	return value
}

func (r *rabbit) removed(queue, value string, tx int) {
	r.x.mu.Lock()
	defer r.x.mu.Unlock()
	r.x.h.Removals = append(r.x.h.Removals, check.Removal{At: r.x.w.Now(), Queue: queue, Value: value, Transaction: tx})
}

// rejects notes that a message is rejected, so that it may be sent on.
func (r *rabbit) rejects(value string) {
	r.x.mu.Lock()
	defer r.x.mu.Unlock()
	now := r.x.w.Now()
	r.x.h.Removals = append(r.x.h.Removals, check.Removal{At: now, Queue: "mail", Value: value, Transaction: -1, To: dead})
	if !r.x.died[value] {
		r.x.died[value] = true
		r.x.h.Publishes = append(r.x.h.Publishes, check.Publish{Span: check.Span{Call: now, Return: 1 << 62}, Publisher: "rejected " + value, Queue: dead, Value: value,
			Outcome: check.Unknown, Transaction: -1})
	}
}

// published is a message on its way.
type published struct {
	at      int // in the history
	to      string
	message client.Publishing
	confirm *client.DeferredConfirmation
}

// again notes that a message is published again, under its id. Which of the two came, and so what else of its connection precedes it, nobody
// is told: it has a publisher of its own.
func (r *rabbit) again(p published) {
	r.sent++
	r.x.mu.Lock()
	defer r.x.mu.Unlock()
	x := &r.x.h.Publishes[p.at]
	x.Publisher, x.Sequence = "again "+x.Value, r.sent
	r.x.again++
}

// publisher publishes with confirms, some at a time. What was not confirmed over a connection it publishes again over the next.
func publisher(r *rabbit, c *client.Connection) error {
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	var waiting []published
	defer func() { r.unsure = append(waiting, r.unsure...) }()
	send := func(p published) (err error) {
		waiting = append(waiting, p)
		waiting[len(waiting)-1].confirm, err = ch.PublishWithDeferredConfirm("", p.to, true, false, p.message)
		return err
	}
	for !stopped(r.x.stop, time.Duration(r.rng.Int64N(int64(200*time.Millisecond)))) {
		for len(r.unsure) > 0 && len(waiting) < 20 {
			p := r.unsure[0]
			r.unsure = r.unsure[1:]
			r.again(p)
			if err := send(p); err != nil {
				return err
			}
		}
		for range 1 + r.rng.IntN(4) {
			to := "in"
			at, p := 0, client.Publishing{}
			if r.rng.IntN(2) == 0 {
				to = ledger
				at, p = r.enters(fmt.Sprintf("%s-%d", r.name, r.sent), fmt.Sprintf("%s.%d", r.name, r.rng.IntN(2)), -1)
				if r.rng.IntN(8) == 0 {
					p.Expiration = fmt.Sprint(100 + r.rng.IntN(5000))
					r.x.mu.Lock()
					r.x.h.Publishes[at].Expires = true
					r.x.mu.Unlock()
				}
			} else {
				at, p = r.publish("in", fmt.Sprintf("%s-%d", r.name, r.sent), -1)
			}
			if err := send(published{at: at, to: to, message: p}); err != nil {
				return err
			}
		}
		for len(waiting) > 0 {
			select {
			case <-waiting[0].confirm.Done():
			case <-time.After(10 * time.Second):
				return errors.New("no confirm")
			}
			if !waiting[0].confirm.Acked() {
				return errors.New("not confirmed")
			}
			r.x.mu.Lock()
			p := &r.x.h.Publishes[waiting[0].at]
			p.Outcome, p.Return = check.OK, r.x.w.Now()
			r.x.acks++
			r.x.mu.Unlock()
			waiting = waiting[1:]
		}
	}
	return nil
}

// mover takes messages from "in" into the others, in transactions, and now and then rolls one back, drops its channel, or dies.
func mover(r *rabbit, c *client.Connection) error {
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	if err := errors.Join(ch.Qos(1+r.rng.IntN(5), 0, false), ch.Tx()); err != nil {
		return err
	}
	since := r.x.w.Now()
	ds, err := ch.Consume("in", "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for !stopped(r.x.stop, 0) {
		var taken []client.Delivery
		for n := 1 + r.rng.IntN(3); len(taken) < n; {
			select {
			case d, open := <-ds:
				if !open {
					return errors.New("the deliveries ended")
				}
				r.given("in", &d, since, false)
				taken = append(taken, d)
				continue
			case <-time.After(200 * time.Millisecond):
			}
			break
		}
		if len(taken) == 0 {
			continue
		}
		switch r.rng.IntN(30) {
		case 0:
			return nil // what it has goes back
		case 1:
			_ = ch.Close()
			return nil
		}
		if err := r.move(ch, taken); err != nil {
			return err
		}
	}
	return nil
}

// move is one transaction.
func (r *rabbit) move(ch *client.Channel, taken []client.Delivery) error {
	r.x.mu.Lock()
	tx := len(r.x.h.Transactions)
	r.x.h.Transactions = append(r.x.h.Transactions, check.QueueTransaction{Span: check.Span{Call: r.x.w.Now(), Return: 1 << 62}, Client: r.session(), Outcome: check.Unknown})
	r.x.mu.Unlock()
	ended := func(o check.Outcome) {
		r.x.mu.Lock()
		defer r.x.mu.Unlock()
		t := &r.x.h.Transactions[tx]
		t.Outcome, t.Return = o, r.x.w.Now()
	}
	few := r.rng.IntN(3) == 0
	for i := range taken {
		value := string(taken[i].Body)
		to := queues[1:]
		if few { // perhaps on the shard that it comes from
			to = queues[1+r.rng.IntN(2):][:1]
		}
		for _, q := range to {
			_, p := r.publish(q, fmt.Sprintf("%s>%s-%d", value, r.name, r.sent), tx)
			if err := ch.Publish("", q, true, false, p); err != nil {
				ended(check.Failed) // commit was not asked for
				return err
			}
		}
		if !few {
			_, p := r.publish(topic, fmt.Sprintf("%s>%s-%d", value, r.name, r.sent), tx)
			p.Headers = client.Table{"x-kafka-key": value}
			if err := ch.Publish("amq.kafka", topic, true, false, p); err != nil {
				ended(check.Failed)
				return err
			}
		}
		if !few && r.rng.IntN(2) == 0 {
			_, p := r.enters(fmt.Sprintf("%s>%s-%d", value, r.name, r.sent), "moved", tx)
			if err := ch.Publish("", ledger, true, false, p); err != nil {
				ended(check.Failed)
				return err
			}
		}
		r.removed("in", value, tx)
		if err := taken[i].Ack(false); err != nil {
			ended(check.Failed)
			return err
		}
	}
	if r.rng.IntN(6) == 0 {
		ended(check.Failed)
		if err := ch.TxRollback(); err != nil {
			return err
		}
		return r.move(ch, taken) // they are its as before
	}
	err := ch.TxCommit()
	var refused *client.Error
	switch {
	case err == nil:
		ended(check.OK)
	case errors.As(err, &refused) && refused.Code == client.PreconditionFailed:
		ended(check.Failed)
	}
	return err
}

// worker takes from "mail", and acknowledges, rejects or gives back.
func worker(r *rabbit, c *client.Connection) error {
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	if err := ch.Qos(1+r.rng.IntN(10), 0, false); err != nil {
		return err
	}
	since := r.x.w.Now()
	ds, err := ch.Consume("mail", "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for !stopped(r.x.stop, 0) {
		select {
		case d, open := <-ds:
			if !open {
				return errors.New("the deliveries ended")
			}
			value := r.given("mail", &d, since, false)
			switch n := r.rng.IntN(20); {
			case n < 8:
				r.removed("mail", value, -1)
				err = d.Ack(false)
			case n < 12:
				r.rejects(value)
				err = d.Reject(false)
			case n < 17:
				err = d.Nack(false, true)
			case n == 17:
				return nil
			}
			if err != nil {
				return err
			}
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// declare makes the queues, however long that takes.
func (x *rabbits) declare() {
	p := x.w.Process("declarer")
	r := &rabbit{x: x, p: p, rng: x.w.Rand("declarer"), name: "declarer"}
	_ = p.Await(p.Start(func() error {
		return insist(func(context.Context) error { return r.declareAll() })
	}))
}

func (r *rabbit) declareAll() error {
	c, err := r.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	for _, q := range append([]string{dead, ledger, probe}, queues...) {
		// One that is delivered again and again is not to be dropped for it.
		args := client.Table{"x-delivery-limit": int32(-1)}
		switch q {
		case "mail":
			args["x-dead-letter-exchange"], args["x-dead-letter-routing-key"] = "", dead
		case ledger, probe:
			args["x-ordering-key"] = "correlation-id"
			args["x-deduplication-window"] = int64(10 * time.Minute / time.Millisecond)
		case "in":
			args["x-deduplication-window"] = int64(10 * time.Minute / time.Millisecond)
		}
		if _, err := ch.QueueDeclare(q, true, false, false, false, args); err != nil {
			return err
		}
	}
	return nil
}

// empty takes all there is, until nothing came for longer than a lease or an open transaction may last.
func (x *rabbits) empty() {
	const quietFor = 30 * time.Second
	p := x.w.Process("end")
	r := &rabbit{x: x, p: p, rng: x.w.Rand("end"), name: "end"}
	_ = p.Await(p.Start(func() error {
		quiet := time.Now()
		for end := time.Now().Add(2 * patience); time.Now().Before(end) && time.Since(quiet) < quietFor; time.Sleep(500 * time.Millisecond) {
			if n, err := r.take(); n > 0 || err != nil {
				quiet = time.Now()
			}
		}
		if time.Since(quiet) < quietFor {
			return errors.New("the queues were not emptied")
		}
		return nil
	}))
}

// take empties the queues once, in an order in which every answer counts: a message is gone when its acknowledgement was
// committed.
func (r *rabbit) take() (n int, err error) {
	c, err := r.dial()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return 0, err
	}
	if err := ch.Tx(); err != nil {
		return 0, err
	}
	r.runs++
	for _, q := range append([]string{dead, ledger}, queues...) {
		for {
			d, ok, err := ch.Get(q, false)
			if err != nil {
				return n, err
			}
			if !ok {
				break
			}
			if err := d.Ack(false); err != nil {
				return n, err
			}
			if err := ch.TxCommit(); err != nil {
				return n, err
			}
			r.given(q, &d, r.x.w.Now(), true)
			n++
		}
	}
	return n, nil
}

// readTopic reads the topic to its end, at read_committed: what is there is there for good.
func (x *rabbits) readTopic() {
	x.as("reader", func(cl *kgo.Client) error {
		var ends kadm.ListedOffsets
		if err := insist(func(ctx context.Context) (err error) {
			if ends, err = kadm.NewClient(cl).ListCommittedOffsets(ctx, topic); err == nil {
				err = ends.Error()
			}
			return err
		}); err != nil {
			return err
		}
		left := map[int32]int64{}
		ends.Each(func(o kadm.ListedOffset) {
			if o.Offset > 0 {
				left[o.Partition] = o.Offset
			}
		})
		ctx, cancel := timeout(patience)
		defer cancel()
		since := x.w.Now()
		for len(left) > 0 {
			fetches := cl.PollFetches(ctx)
			if ctx.Err() != nil {
				return fmt.Errorf("%d partitions of the topic could not be read: %w", len(left), ctx.Err())
			}
			fetches.EachRecord(func(r *kgo.Record) {
				if !r.Attrs.IsControl() {
					x.mu.Lock()
					x.h.Deliveries = append(x.h.Deliveries, check.Delivery{At: x.w.Now(), Since: since, Consumer: where("reader", r.Partition), Queue: topic, Value: string(r.Value), Final: true})
					x.mu.Unlock()
				}
				if end, ok := left[r.Partition]; ok && r.Offset+1 >= end {
					delete(left, r.Partition)
				}
			})
		}
		return nil
	}, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
}

// TestQueuesSurviveThePlan: what is confirmed or committed is delivered, in order, and gone once it is acknowledged; a transaction
// over queues of several shards, and a topic, is all or nothing.
func TestQueuesSurviveThePlan(t *testing.T) {
	world(t, small, func(n *narrow) {
		x := &rabbits{narrow: n, stop: make(chan struct{}), died: map[string]bool{}}
		x.declare()
		var running []<-chan error
		for _, b := range []struct {
			name string
			many int
			f    func(*rabbit, *client.Connection) error
		}{{"publisher", 2, publisher}, {"mover", 3, mover}, {"worker", 2, worker}, {"clerk", 3, clerk}} {
			for range b.many {
				running = append(running, x.begin(b.name, b.f))
			}
		}
		x.faults(25*time.Second, func(f *faults) {
			f.wait(100*time.Millisecond, 3*time.Second)
			switch verb := []simtest.Verb{simtest.Kill, simtest.Power, simtest.Pause, simtest.Isolate, simtest.Slow, simtest.Cut}[f.rng.IntN(6)]; verb {
			case simtest.Slow:
				f.link(verb, 100*time.Millisecond, 2*time.Second)
			case simtest.Cut: // its clients see nothing of it
				f.apart(f.node(), f.between(time.Second, 10*time.Second))
			default:
				f.at += f.hit(verb, f.node(), 20*time.Millisecond, 8*time.Second)
			}
		})
		time.Sleep(5 * time.Second)
		close(x.stop)
		x.settled(running...)
		x.hotKey()
		x.empty()
		x.readTopic()
		x.replicas()
		x.count()
		for _, v := range check.Queues(&x.h) {
			x.w.Anomaly(v.Anomaly, v.Where, "%s", v.Text)
		}
	}, "engine/parts-prepared", "engine/shards-told", "engine/decision-orphaned", "engine/queues-fold", "engine/prepare-hasty", "engine/decide-hasty", "engine/publish-hasty")
}

func (x *rabbits) count() {
	committed, unknown, again, final := 0, 0, 0, 0
	for i := range x.h.Transactions {
		switch x.h.Transactions[i].Outcome {
		case check.OK:
			committed++
		case check.Unknown:
			unknown++
		}
	}
	for i := range x.h.Deliveries {
		if x.h.Deliveries[i].Redelivered {
			again++
		}
		if x.h.Deliveries[i].Final {
			final++
		}
	}
	x.w.Count("publishes", len(x.h.Publishes))
	x.w.Count("published again", x.again)
	x.w.Count("deliveries", len(x.h.Deliveries))
	x.w.Count("redeliveries", again)
	x.w.Count("left in the end", final)
	x.w.Count("tx", len(x.h.Transactions))
	x.w.Count("tx committed", committed)
	x.w.Count("tx unknown", unknown)
	if strings.TrimSpace(os.Getenv("TALLYMQ_SIM_LOG")) != "" {
		fmt.Fprintln(os.Stderr, len(x.h.Publishes), "publishes", len(x.h.Deliveries), "deliveries", again, "again", committed, "committed", unknown, "unknown")
	}
}
