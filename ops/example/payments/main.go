package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/local"
)

// patience bounds everything that must succeed once nobody is killed any more.
const patience = 2 * time.Minute

func main() {
	brokers := flag.String("brokers", "localhost:9092", "brokers to use, host:port,...; not with -bin")
	bin := flag.String("bin", "", "start three nodes of this program, and kill them now and then")
	duration := flag.Duration("for", 20*time.Second, "how long transfers are sent")
	rate := flag.Int("rate", 500, "transfers per second")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "decides the transfers, and when and whom to kill (not the clients' timing)")
	flag.Parse()
	b := &bank{brokers: strings.Split(*brokers, ","), sent: map[string]transfer{}, rate: *rate}
	err := b.run(*bin, *duration, *seed)
	if err != nil {
		fmt.Fprintf(os.Stderr, "payments: %v (seed %d)\n", err, *seed)
		fmt.Println("0 passed, 1 failed")
		os.Exit(1)
	}
	fmt.Println("1 passed, 0 failed")
}

// bank is the example's state.
type bank struct {
	brokers []string
	rate    int

	mu   sync.Mutex
	sent map[string]transfer // acknowledged

	committed, aborted, deaths, kills atomic.Int64 // transactions, validators, nodes
	seen, halves                      atomic.Int64 // of the auditor that reads meanwhile
}

func (b *bank) options(more ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{kgo.SeedBrokers(b.brokers...), kgo.MetadataMinAge(100 * time.Millisecond), kgo.UnknownTopicRetries(-1)}, more...)
}

func (b *bank) run(bin string, duration time.Duration, seed uint64) error {
	if bin != "" {
		stop, err := b.startNodes(bin, duration, rand.New(rand.NewPCG(seed, 1)))
		if err != nil {
			return err
		}
		defer stop()
	}
	if err := b.createTopics(); err != nil {
		return err
	}
	validating, stopValidating := context.WithCancel(context.Background())
	watching, stopWatching := context.WithCancel(context.Background())
	defer stopWatching()
	defer stopValidating()
	var all sync.WaitGroup
	complaints := make(chan error, 8)
	do := func(f func() error) {
		all.Go(func() {
			if err := f(); err != nil {
				complaints <- err
			}
		})
	}
	for i := range 3 {
		do(func() error { return b.validate(validating, i, rand.New(rand.NewPCG(seed, uint64(2+i)))) })
	}
	do(func() error { return b.watch(watching) })
	go b.report(watching)
	if err := b.send(duration, rand.New(rand.NewPCG(seed, 0))); err != nil {
		return err
	}
	k, err := b.settle(complaints)
	stopValidating()
	stopWatching()
	all.Wait()
	close(complaints)
	for complaint := range complaints {
		err = errors.Join(err, complaint)
	}
	if err != nil {
		return err
	}
	fmt.Printf("%d transfers, %d transactions committed, %d aborted, %d validators and %d nodes killed\n",
		len(b.sent), b.committed.Load(), b.aborted.Load(), b.deaths.Load(), b.kills.Load())
	fmt.Printf("%d records in %d outputs, each transfer once in each; %d accounts have %d.00 together, as at the beginning\n",
		k.records, len(outputs), accounts, accounts*opening/100)
	return nil
}

// settle waits until what was sent is in the books, and gives them.
func (b *bank) settle(complaints chan error) (k *books, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		if k, err = b.audit(ctx); err == nil {
			if err = k.whole(b.sent); err == nil {
				return k, nil
			}
			if len(k.twice) > 0 {
				return k, err
			}
		}
		select {
		case complaint := <-complaints:
			return k, errors.Join(err, complaint)
		case <-ctx.Done():
			return k, fmt.Errorf("%v after the last transfer: %w", patience, err)
		case <-time.After(time.Second):
		}
	}
}

func (b *bank) createTopics() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cl, err := kgo.NewClient(b.options()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for _, topic := range append([]string{transfers}, outputs...) {
		if _, err := kadm.NewClient(cl).CreateTopic(ctx, 4, -1, nil, topic); errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("topic %s is there already: the example wants topics of its own", topic)
		} else if err != nil {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return nil
}

// send sends transfers, and returns when all are acknowledged.
func (b *bank) send(duration time.Duration, r *rand.Rand) error {
	cl, err := kgo.NewClient(b.options(kgo.DefaultProduceTopic(transfers), kgo.ProducerLinger(2*time.Millisecond))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	var failed kgo.FirstErrPromise
	tick := time.NewTicker(time.Second / time.Duration(b.rate))
	defer tick.Stop()
	for n, end := 0, time.Now().Add(duration); time.Now().Before(end); n++ {
		t := drawTransfer(r, fmt.Sprintf("t%06d", n))
		promise := failed.Promise()
		cl.Produce(context.Background(), &kgo.Record{Key: fmt.Append(nil, t.From), Value: encode(t)}, func(r *kgo.Record, err error) {
			if err == nil {
				b.mu.Lock()
				b.sent[t.ID] = t
				b.mu.Unlock()
			}
			promise(r, err)
		})
		<-tick.C
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("transfers are not acknowledged %v after the last: %w", patience, err)
	}
	return failed.Err()
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
		b.mu.Lock()
		sent := len(b.sent)
		b.mu.Unlock()
		fmt.Printf("%4.0f s  %d transfers sent, %d transactions committed, %d records audited, %d transfers seen by halves, %d nodes killed\n",
			time.Since(began).Seconds(), sent, b.committed.Load(), b.seen.Load(), b.halves.Load(), b.kills.Load())
	}
}

// startNodes starts three nodes and kills one or all of them with SIGKILL, again and again until the duration is over.
func (b *bank) startNodes(bin string, duration time.Duration, r *rand.Rand) (stop func(), err error) {
	c, end, err := local.Begin(bin, "payments", 3)
	if err != nil {
		return nil, err
	}
	b.brokers = c.Bootstrap()
	wait := c.Torment(time.Now().Add(duration), 2*time.Second, 6*time.Second, r, func() { b.kills.Add(1) })
	return func() {
		if err := wait(); err != nil {
			fmt.Fprintln(os.Stderr, "payments:", err)
		}
		end()
	}, nil
}
