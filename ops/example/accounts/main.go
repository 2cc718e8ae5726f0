package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/tallymq/tallymq/ops/local"
)

const (
	// patience bounds everything that must succeed once nobody is killed any more.
	patience = 2 * time.Minute

	movements = "movements" // the queue
	senders   = 4
)

func main() {
	bin := flag.String("bin", "", "start three nodes of this program, and kill them now and then; without it the node below is used")
	url := flag.String("amqp", "amqp://guest:guest@127.0.0.1:5672/", "AMQP address of a node; not with -bin")
	duration := flag.Duration("for", 20*time.Second, "how long movements are sent")
	rate := flag.Int("rate", 250, "movements per second of each of the four senders")
	accounts := flag.Int("accounts", 1000, "accounts at a time")
	workers := flag.Int("workers", 8, "competing consumers")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "decides when and whom to kill (not the clients' timing)")
	flag.Parse()
	b := &bank{urls: []string{*url}, rate: *rate, books: &books{accounts: map[string]*account{}}}
	if err := b.run(*bin, *duration, *seed, *accounts, *workers); err != nil {
		fmt.Fprintf(os.Stderr, "accounts: %v (seed %d)\n", err, *seed)
		fmt.Println("0 passed, 1 failed")
		os.Exit(1)
	}
	fmt.Println("1 passed, 0 failed")
}

// bank is the example's state.
type bank struct {
	urls  []string
	rate  int
	books *books

	ended, kills atomic.Int64 // connections, nodes
}

func (b *bank) run(bin string, duration time.Duration, seed uint64, accounts, workers int) error {
	if bin != "" {
		stop, err := b.startNodes(bin, duration, rand.New(rand.NewPCG(seed, 1)))
		if err != nil {
			return err
		}
		defer stop()
	}
	if err := local.Insist(patience, b.declare); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var work, send sync.WaitGroup
	for i := range workers {
		work.Go(func() { b.work(ctx, rand.New(rand.NewPCG(seed, uint64(100+i)))) })
	}
	go b.report(ctx)
	for i := range senders {
		s := &sender{bank: b, name: fmt.Sprintf("%c", 'a'+i), accounts: make([]string, max(accounts/senders, 1)), r: rand.New(rand.NewPCG(seed, uint64(2+i)))}
		send.Go(func() { s.run(duration) })
	}
	send.Wait()
	err := local.Insist(patience, func() error {
		if b.books.failed() != nil {
			return nil
		}
		return b.books.whole()
	})
	stop()
	work.Wait()
	if wrong := b.books.failed(); wrong != nil {
		return wrong
	}
	if err != nil {
		return err
	}
	fmt.Printf("%v; %d connections ended, %d nodes killed\n", b.books, b.ended.Load(), b.kills.Load())
	return nil
}

// declare makes the queue.
func (b *bank) declare() error {
	c, ch, err := local.DialRabbit(b.urls, rand.New(rand.NewPCG(0, 0)))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = ch.QueueDeclare(movements, true, false, false, false, amqp.Table{"x-ordering-key": "header:account", "x-delivery-limit": int32(-1)})
	return err
}

// report says every few seconds how it goes.
func (b *bank) report(ctx context.Context) {
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Second):
		}
		fmt.Printf("%4.0f s  %v; %d connections ended, %d nodes killed\n", time.Since(began).Seconds(), b.books, b.ended.Load(), b.kills.Load())
	}
}

// startNodes starts three nodes and kills one or all of them with SIGKILL, again and again until the duration is over.
func (b *bank) startNodes(bin string, duration time.Duration, r *rand.Rand) (stop func(), err error) {
	c, end, err := local.Begin(bin, "accounts", 3, "--consumer-lease", "6s")
	if err != nil {
		return nil, err
	}
	b.urls = c.RabbitURLs()
	wait := c.Torment(time.Now().Add(duration), 1500*time.Millisecond, 5*time.Second, r, func() { b.kills.Add(1) })
	return func() {
		if err := wait(); err != nil {
			fmt.Fprintln(os.Stderr, "accounts:", err)
		}
		end()
	}, nil
}
