package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/config"
	"github.com/tallymq/tallymq/ops/local"
)

const topic = "payments"

// run is one run of the command.
type run struct {
	size, rate int64 // bytes; bytes a second
	away       time.Duration
	dir        string
	cluster    *local.Cluster
	load       *load
	failures   []string
}

func main() {
	size, rate := config.ByteSize(4<<30), config.ByteSize(12*mib)
	bin := flag.String("bin", "bin/tallymq", "the program to run")
	dir := flag.String("dir", "", "folder for data; default: a temporary one")
	away := flag.Duration("away", time.Minute, "how long a node is away")
	flag.Var(flagSize{&size}, "size", "bytes in the shard before the first recovery; each of three nodes keeps them")
	flag.Var(flagSize{&rate}, "rate", "bytes a second that are produced all along")
	flag.Parse()
	r := &run{size: int64(size), rate: int64(rate), away: *away}
	var err error
	if r.dir, err = os.MkdirTemp(*dir, "tallymq-recovery-"); err == nil {
		err = r.all(*bin)
	}
	if err == nil && len(r.failures) > 0 {
		err = errors.New(strings.Join(r.failures, "; "))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "recovery: %v\nrecovery: data and logs in %s\n", err, r.dir)
		fmt.Println("0 passed, 1 failed")
		os.Exit(1)
	}
	_ = os.RemoveAll(r.dir)
	fmt.Println("1 passed, 0 failed")
}

// flagSize reads a size as the configuration does.
type flagSize struct{ b *config.ByteSize }

func (f flagSize) String() string {
	if f.b == nil {
		return ""
	}
	return fmt.Sprint(*f.b)
}

func (f flagSize) Set(s string) error { return f.b.UnmarshalText([]byte(s)) }

// gap is about what is produced while a node is away.
func (r *run) gap() int64 { return int64(r.away.Seconds() * float64(r.rate)) }

func (r *run) all(bin string) (err error) {
	r.cluster, err = local.New(bin, r.dir, 3, "--data-shards", "1", "--log-level", "info", "--journal-segment-bytes", "64MiB")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.cluster.Each((*local.Process).Kill)) }()
	if err := r.restart(2*r.gap() + mib); err != nil {
		return err
	}
	if err := r.createTopic(); err != nil {
		return err
	}
	if r.load, err = startLoad(r.cluster.Bootstrap()); err != nil {
		return err
	}
	defer r.load.close()
	began := time.Now()
	if err := r.load.fill(r.size); err != nil {
		return err
	}
	fmt.Printf("one shard of %s, filled in %.0f s; then %s a second in records of %d bytes, %d producers, %d partitions\n",
		bytesOf(r.load.bytes()), time.Since(began).Seconds(), bytesOf(r.rate), recordBytes, producers, partitions)
	r.load.pace(r.rate)
	if err := r.recovery("by log", r.byLog); err != nil {
		return fmt.Errorf("by log: %w", err)
	}
	r.load.pace(0)
	if err := r.restart(r.gap()/keepPart + mib); err != nil {
		return err
	}
	r.load.pace(r.rate)
	if err := r.recovery("by snapshot", r.bySnapshot); err != nil {
		return fmt.Errorf("by snapshot: %w", err)
	}
	if err := r.recovery("a lost disk, killed half-way", r.lostDisk); err != nil {
		return fmt.Errorf("a lost disk: %w", err)
	}
	return r.account()
}

// restart starts all nodes with so many bytes of log kept, and so many between two snapshots.
func (r *run) restart(keep int64) error {
	if err := r.cluster.Each((*local.Process).Kill); err != nil {
		return err
	}
	for _, p := range r.cluster.Nodes {
		p.Set("raft-log-keep-bytes", fmt.Sprint(keep))
		p.Set("raft-snapshot-bytes", fmt.Sprint(keep))
	}
	if err := r.cluster.Each((*local.Process).Start); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return r.cluster.Ready(ctx)
}

func (r *run) createTopic() error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.Bootstrap()...))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = kadm.NewClient(cl).CreateTopic(ctx, partitions, -1, nil, topic)
	return err
}

// fail notes a bound that does not hold; what follows is measured all the same.
func (r *run) fail(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
	fmt.Println("  FAILED:", r.failures[len(r.failures)-1])
}

func bytesOf(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/mib) }
