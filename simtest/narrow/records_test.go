package narrow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

// produce sends numbered records, one to each partition at a time, until stop is closed.
func (x *narrow) produce(name, to string, size int, every time.Duration, stop <-chan struct{}) <-chan error {
	_, done := x.begin(name, func(p *simtest.Process, cl *kgo.Client) error {
		for n := 0; !stopped(stop, every); n++ {
			for k := range int32(partitions) {
				x.send(p, cl, to, partitions*n+int(k), (int32(n)+k)%partitions, size)
			}
		}
		return cl.Flush(context.Background())
	}, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	return done
}

// send gives one record to a producer and notes what becomes of it.
func (x *narrow) send(p *simtest.Process, cl *kgo.Client, to string, n int, part int32, size int) {
	value := fmt.Sprintf("%s-%d-", p.Name(), n)
	value += strings.Repeat("x", max(size-len(value), 0))
	s := check.Send{Producer: p.Name(), Sequence: n, Partition: where(to, part), Value: value, Outcome: check.Unknown, Offset: -1}
	s.Call, s.Return = x.w.Now(), 1<<62
	x.mu.Lock()
	at := len(x.h.Sends)
	x.h.Sends = append(x.h.Sends, s)
	x.mu.Unlock()
	cl.Produce(context.Background(), &kgo.Record{Topic: to, Partition: part, Value: []byte(value)}, func(r *kgo.Record, err error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		s := &x.h.Sends[at]
		s.Return = x.w.Now()
		if err == nil {
			s.Outcome, s.Offset = check.OK, r.Offset
			x.acks++
		}
	})
}

// taken is the offset behind the last record of a partition that was acknowledged.
func (x *narrow) taken(place string) int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	end := int64(0)
	for i := len(x.h.Sends) - 1; i >= 0 && i > len(x.h.Sends)-1000; i-- {
		if s := &x.h.Sends[i]; s.Partition == place && s.Outcome == check.OK {
			end = max(end, s.Offset+1)
		}
	}
	return end
}

// readAll reads a topic from its start to its end, after everything.
func (x *narrow) readAll(to string) { x.read(to, true) }

// read reads a topic from its start to its present end, once.
func (x *narrow) read(to string, final bool) {
	x.as("reader", func(cl *kgo.Client) error {
		ends := map[int32]int64{}
		if err := insist(func(ctx context.Context) error {
			listed, err := kadm.NewClient(cl).ListEndOffsets(ctx, to)
			if err == nil {
				err = listed.Error()
			}
			listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
			return err
		}); err != nil {
			return fmt.Errorf("list the ends of %s: %w", to, err)
		}
		x.consume(cl, to, ends, final)
		return nil
	})
}

func (x *narrow) consume(cl *kgo.Client, to string, ends map[int32]int64, final bool) {
	at := map[int32]kgo.Offset{}
	for p := range int32(len(ends)) {
		if ends[p] > 0 {
			at[p] = kgo.NewOffset().AtStart()
		}
		if final {
			x.h.Drained = append(x.h.Drained, where(to, p))
		}
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{to: at})
	seen := map[int32]int64{}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	name := cl.OptValue(kgo.ClientID).(string)
	for len(at) > 0 && ctx.Err() == nil {
		fs := cl.PollFetches(ctx)
		fs.EachError(func(_ string, p int32, err error) {
			if strings.Contains(strings.ToLower(err.Error()), "crc") {
				x.w.Anomaly("corrupt-read", where(to, p), "%v", err)
			}
		})
		fs.EachRecord(func(r *kgo.Record) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.h.Reads = append(x.h.Reads, check.Read{At: x.w.Now(), Consumer: name, Partition: where(to, r.Partition), Offset: r.Offset, Value: string(r.Value), Final: final})
			x.noteEpoch(where(to, r.Partition), r)
			seen[r.Partition] = r.Offset + 1
			if seen[r.Partition] >= ends[r.Partition] {
				delete(at, r.Partition)
			}
		})
	}
	for p := range int32(len(ends)) {
		if seen[p] < ends[p] {
			x.w.Anomaly("unread", where(to, p), "read to %d of %d", seen[p], ends[p])
		}
	}
	slices.Sort(x.h.Drained)
}

// noteEpoch remembers in which leader epoch a record was appended.
func (x *narrow) noteEpoch(place string, r *kgo.Record) {
	x.epochOf[string(r.Value)] = r.LeaderEpoch
	t := term{place, r.LeaderEpoch}
	s, ok := x.spans[t]
	if !ok {
		s = span{r.Offset, r.Offset}
	}
	x.spans[t] = span{min(s.first, r.Offset), max(s.last, r.Offset)}
}

// epochs are those of the records that were read of the topic.
func (x *narrow) epochs() map[term]span { return x.spans }
