package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/local"
	"github.com/tallymq/tallymq/simtest/check"
)

func main() {
	bin := flag.String("bin", "bin/tallymq", "the program to run")
	duration := flag.Duration("duration", time.Minute, "how long faults go on")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "decides when and whom to kill (not the clients' timing)")
	flag.Parse()
	dir, err := os.MkdirTemp("", "tallymq-crash-")
	if err == nil {
		err = run(*bin, dir, *duration, rand.New(rand.NewPCG(*seed, 0)))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "crash: %v\ncrash: seed %d, data and logs in %s\n", err, *seed, dir)
		fmt.Println("0 passed, 1 failed")
		os.Exit(1)
	}
	_ = os.RemoveAll(dir)
	fmt.Println("1 passed, 0 failed")
}

// patience bounds everything that must succeed once faults have stopped.
const patience = 2 * time.Minute

func run(bin, dir string, duration time.Duration, r *rand.Rand) error {
	c, err := local.New(bin, dir, 3)
	if err != nil {
		return err
	}
	defer func() { _ = c.Each((*local.Process).Kill) }()
	if err := c.Each((*local.Process).Start); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		return err
	}
	h := &history{began: time.Now()}
	if h.topicID, err = createTopic(ctx, c.Bootstrap()); err != nil {
		return err
	}
	h.h.Dense = true
	sending, stopSending := context.WithCancel(context.Background())
	reading, stopReading := context.WithCancel(context.Background())
	defer stopReading()
	var senders, readers sync.WaitGroup
	work := func(wg *sync.WaitGroup, what string, f func() error) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := f(); err != nil {
				h.complain("%s: %v", what, err)
			}
		}()
	}
	for i, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.ZstdCompression(), kgo.SnappyCompression()} {
		work(&senders, "producer", func() error { return h.produce(sending, c.Bootstrap(), i, codec) })
	}
	for i := range 2 {
		work(&readers, "member", func() error { return h.consume(reading, c.Bootstrap(), i) })
	}
	for _, p := range c.Nodes {
		work(&readers, "probe", func() error { return h.probe(reading, c.Bootstrap(), int32(p.ID)) })
	}
	work(&readers, "tail", func() error { return h.tail(reading, c.Bootstrap()) })

	kills, err := chaos(c, h, duration, r)
	stopSending()
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		return fmt.Errorf("producers are not acknowledged %v after the last fault", patience)
	}
	ctx, cancel = context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // readers see the rest; what they miss is not held against anyone
	stopReading()
	readers.Wait()
	if err := h.drain(ctx, c.Bootstrap()); err != nil {
		return err
	}
	fmt.Printf("%d kills, %d records acknowledged, %d read while it went on, %d read at the end\n", kills, h.acked, h.reads, len(h.h.Reads)-h.reads)
	fmt.Printf("%d offsets committed of %d tried, committed offsets asked %d times, ends %d times\n", h.committed, len(h.h.Commits), len(h.h.Fetches), len(h.h.Ends))
	if h.committed == 0 || len(h.h.Fetches) == 0 || len(h.h.Ends) == 0 {
		return fmt.Errorf("nothing was committed or asked")
	}
	for _, b := range h.bad {
		fmt.Println("  client:", b)
	}
	violations := check.Kafka(&h.h)
	for i, v := range violations {
		if i == 20 {
			fmt.Printf("  and %d more\n", len(violations)-i)
			break
		}
		fmt.Println(" ", v)
	}
	if len(violations) > 0 || len(h.bad) > 0 {
		return fmt.Errorf("%d violations, %d complaints of clients", len(violations), len(h.bad))
	}
	return nil
}

func createTopic(ctx context.Context, seeds []string) (id [16]byte, err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...))
	if err != nil {
		return id, err
	}
	defer cl.Close()
	t, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, -1, nil, topic)
	return t.ID, err
}

// chaos kills and restarts until the time is over; at the end all nodes run.
func chaos(c *local.Cluster, h *history, duration time.Duration, r *rand.Rand) (kills int, err error) {
	end := time.Now().Add(duration)
	for round := 0; time.Now().Before(end); round++ {
		time.Sleep(time.Duration(500+r.IntN(2500)) * time.Millisecond)
		victims := c.Nodes
		if round%4 != 3 {
			victims = []*local.Process{c.Nodes[r.IntN(len(c.Nodes))]}
			if leads := c.Leaders(context.Background()); r.IntN(4) > 0 {
				for _, p := range c.Nodes {
					if leads[p.ID] > leads[victims[0].ID] {
						victims = []*local.Process{p}
					}
				}
			}
		}
		for _, p := range c.Nodes {
			if err := p.Died(); err != nil {
				return kills, err
			}
		}
		for _, p := range victims {
			if err := p.Kill(); err != nil {
				return kills, err
			}
			kills++
		}
		h.mu.Lock()
		fmt.Printf("%6.1f s  killed %d of 3, %d acknowledged, %d read\n", h.now().Seconds(), len(victims), h.acked, h.reads)
		h.mu.Unlock()
		time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
		for _, p := range victims {
			if err := p.Start(); err != nil {
				return kills, err
			}
		}
	}
	return kills, nil
}
