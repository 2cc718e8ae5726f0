package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest/check"
)

const (
	topic      = "payments"
	partitions = 8
	// perSecond bounds each producer, so that the history fits in memory.
	perSecond = 2000
)

// history gathers what the clients saw.
type history struct {
	began time.Time
	mu    sync.Mutex
	h     check.History
	acked int
	reads int
	// committed counts the group's acknowledged commits of one partition each.
	committed int
	topicID   [16]byte
	bad       []string // what no client should have met at all
}

func (h *history) now() time.Duration { return time.Since(h.began) }

func (h *history) complain(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bad = append(h.bad, fmt.Sprintf(format, args...))
}

func part(p int32) string { return topic + "-" + strconv.Itoa(int(p)) }

// produce sends unique values to all partitions until the context ends, then waits for
// every acknowledgement.
func (h *history) produce(ctx context.Context, seeds []string, id int, codec kgo.CompressionCodec) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(2*time.Millisecond), kgo.UnknownTopicRetries(-1), kgo.ClientID(fmt.Sprintf("producer-%d", id)))
	if err != nil {
		return err
	}
	defer cl.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	name := fmt.Sprintf("producer-%d", id)
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return cl.Flush(context.Background()) // bounded by the caller's patience: it must end once faults have
		case <-tick.C:
		}
		for range perSecond / 100 {
			s := check.Send{Producer: name, Sequence: n, Partition: part(int32(n % partitions)), Value: fmt.Sprintf("%d/%d", id, n), Outcome: check.Unknown, Offset: -1}
			s.Call = h.now()
			cl.Produce(context.Background(), &kgo.Record{Partition: int32(n % partitions), Value: []byte(s.Value)}, func(r *kgo.Record, err error) {
				s.Return = h.now()
				if err == nil {
					s.Outcome, s.Offset = check.OK, r.Offset
				} else {
					h.complain("%s: %s not acknowledged: %v", name, s.Value, err)
				}
				h.mu.Lock()
				defer h.mu.Unlock()
				h.h.Sends = append(h.h.Sends, s)
				if err == nil {
					h.acked++
				}
			})
			n++
		}
	}
}

// tail reads from the end as it was at the start, and must never be reset.
func (h *history) tail(ctx context.Context, seeds []string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.ClientID("tail"))
	if err != nil {
		return err
	}
	defer cl.Close()
	for ctx.Err() == nil {
		h.note(cl.PollFetches(ctx), "tail", 0)
	}
	return nil
}

func (h *history) note(fs kgo.Fetches, name string, session int) {
	for _, e := range fs.Errors() {
		var lost *kgo.ErrDataLoss
		if errors.As(e.Err, &lost) || strings.Contains(e.Err.Error(), "OFFSET_OUT_OF_RANGE") {
			h.complain("%s: partition %d was reset: %v", name, e.Partition, e.Err)
		}
	}
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	fs.EachRecord(func(r *kgo.Record) {
		h.reads++
		h.h.Reads = append(h.h.Reads, check.Read{At: now, Consumer: name, Session: session, Partition: part(r.Partition), Offset: r.Offset, Value: string(r.Value)})
	})
}

// drain reads every partition whole.
func (h *history) drain(ctx context.Context, seeds []string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("list end offsets: %w", err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		h.h.Drained = append(h.h.Drained, part(o.Partition))
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("read whole: %d partitions left: %w", len(left), ctx.Err())
		}
		now := h.now()
		fs.EachRecord(func(r *kgo.Record) {
			h.h.Reads = append(h.h.Reads, check.Read{At: now, Consumer: "final", Partition: part(r.Partition), Offset: r.Offset, Value: string(r.Value), Final: true})
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return nil
}
