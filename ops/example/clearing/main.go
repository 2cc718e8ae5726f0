package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/local"
)

// patience bounds everything that must succeed once nobody is killed any more.
const patience = 2 * time.Minute

// Names of queues, and of the topic.
const (
	orders  = "orders"
	ledger  = "ledger"
	notices = "notices"
	cleared = "cleared"
)

func main() {
	bin := flag.String("bin", "", "start three nodes of this program, and kill them now and then; without it the nodes below are used")
	url := flag.String("amqp", "amqp://guest:guest@127.0.0.1:5672/", "AMQP address of a node; not with -bin")
	kafka := flag.String("kafka", "127.0.0.1:9092", "Kafka address of a node; not with -bin")
	duration := flag.Duration("for", 20*time.Second, "how long orders are sent")
	rate := flag.Int("rate", 200, "orders per second")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "decides when and whom to kill (not the clients' timing)")
	flag.Parse()
	h := &house{urls: []string{*url}, kafka: []string{*kafka}, rate: *rate, sent: map[string]bool{}}
	if err := h.run(*bin, *duration, *seed); err != nil {
		fmt.Fprintf(os.Stderr, "clearing: %v (seed %d)\n", err, *seed)
		fmt.Println("0 passed, 1 failed")
		os.Exit(1)
	}
	fmt.Println("1 passed, 0 failed")
}

// house is the example's state.
type house struct {
	urls, kafka []string
	rate        int

	mu   sync.Mutex
	sent map[string]bool // orders; true: confirmed

	committed, rolledBack, ended, kills atomic.Int64 // transactions, connections, nodes
}

func (h *house) run(bin string, duration time.Duration, seed uint64) error {
	if bin != "" {
		stop, err := h.startNodes(bin, duration, rand.New(rand.NewPCG(seed, 1)))
		if err != nil {
			return err
		}
		defer stop()
	}
	if err := h.prepare(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() { h.clerk(ctx, rand.New(rand.NewPCG(seed, uint64(2+i)))) })
	}
	go h.report(ctx)
	h.send(duration, rand.New(rand.NewPCG(seed, 0)))
	err := h.await()
	stop()
	all.Wait()
	if err != nil {
		return err
	}
	b, err := h.audit()
	if err != nil {
		return err
	}
	if err := b.whole(h.sent); err != nil {
		return err
	}
	fmt.Printf("%d orders, %d transactions committed, %d rolled back, %d connections ended, %d nodes killed\n", len(h.sent), h.committed.Load(), h.rolledBack.Load(), h.ended.Load(), h.kills.Load())
	fmt.Printf("%d orders are cleared, each once in two queues and a topic; %d are where they were\n", len(b.in[cleared]), len(b.in[orders]))
	return nil
}

// dial connects to some node, with a channel.
func (h *house) dial(r *rand.Rand) (*amqp.Connection, *amqp.Channel, error) {
	return local.DialRabbit(h.urls, r)
}

// prepare makes the queues and the topic.
func (h *house) prepare() error {
	r := rand.New(rand.NewPCG(0, 0))
	err := insist(func() error {
		c, ch, err := h.dial(r)
		if err != nil {
			return err
		}
		defer c.Close()
		for _, q := range []string{orders, ledger, notices} {
			if _, err := ch.QueueDeclare(q, true, false, false, false, amqp.Table{"x-delivery-limit": int32(-1)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return insist(func() error {
		cl, err := kgo.NewClient(kgo.SeedBrokers(h.kafka...))
		if err != nil {
			return err
		}
		defer cl.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := kadm.NewClient(cl).CreateTopic(ctx, 4, -1, nil, cleared); !errors.Is(err, kerr.TopicAlreadyExists) {
			return err
		}
		return nil
	})
}

func insist(f func() error) error { return local.Insist(patience, f) }

// report says every few seconds how it goes.
func (h *house) report(ctx context.Context) {
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Second):
		}
		h.mu.Lock()
		sent := len(h.sent)
		h.mu.Unlock()
		fmt.Printf("%4.0f s  %d orders sent, %d transactions committed, %d rolled back, %d connections ended, %d nodes killed\n", time.Since(began).Seconds(), sent,
			h.committed.Load(), h.rolledBack.Load(), h.ended.Load(), h.kills.Load())
	}
}

// startNodes starts three nodes and kills one or all of them with SIGKILL, again and again until the duration is over.
func (h *house) startNodes(bin string, duration time.Duration, r *rand.Rand) (stop func(), err error) {
	c, end, err := local.Begin(bin, "clearing", 3, "--consumer-lease", "6s")
	if err != nil {
		return nil, err
	}
	h.urls, h.kafka = c.RabbitURLs(), c.Bootstrap()
	wait := c.Torment(time.Now().Add(duration), 1500*time.Millisecond, 5*time.Second, r, func() { h.kills.Add(1) })
	return func() {
		if err := wait(); err != nil {
			fmt.Fprintln(os.Stderr, "clearing:", err)
		}
		end()
	}, nil
}
