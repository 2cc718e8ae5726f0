package narrow

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

// windowBatches is how many batches of a producer a partition remembers (as Kafka does).
const windowBatches = 5

// retrier is an idempotent producer of one partition that sends batches again though
// they were acknowledged, as a network that doubles, or a client that never got the
// answer, may do at any time.
type retrier struct {
	x    *narrow
	p    *simtest.Process
	cl   *kgo.Client
	rng  *rand.Rand
	id   [16]byte
	part int32

	producer int64
	epoch    int16
	sequence int32
	sent     []sentBatch // the last windowBatches
}

type sentBatch struct {
	bytes    []byte
	sequence int32
	base     int64 // as first acknowledged
}

// run sends until stop is closed.
func (r *retrier) run(stop <-chan struct{}) error {
	if err := insist(func(ctx context.Context) error {
		a, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(ctx, r.cl)
		if err != nil {
			return err
		}
		r.producer, r.epoch = a.ProducerID, a.ProducerEpoch
		return kerr.ErrorForCode(a.ErrorCode)
	}); err != nil {
		return err
	}
	for !stopped(stop, time.Duration(r.rng.Int64N(int64(30*time.Millisecond)))) {
		if err := r.next(); err != nil {
			return err
		}
		for r.rng.IntN(3) == 0 {
			if err := r.again(r.sent[r.rng.IntN(len(r.sent))]); err != nil {
				return err
			}
		}
	}
	return nil
}

// next sends a new batch until it is acknowledged.
func (r *retrier) next() error {
	b := batch.NewBuilder()
	b.ProducerID, b.ProducerEpoch, b.BaseSequence = r.producer, r.epoch, r.sequence
	n := 1 + r.rng.Int32N(3)
	r.x.mu.Lock()
	at := len(r.x.h.Sends)
	for i := range n {
		value := fmt.Sprintf("%s-%d", r.p.Name(), r.sequence+i)
		b.Append(batch.Record{Timestamp: time.Now().UnixMilli(), Value: []byte(value)})
		r.x.h.Sends = append(r.x.h.Sends, check.Send{Producer: r.p.Name(), Sequence: int(r.sequence + i), Partition: where(topic, r.part), Value: value,
			Outcome: check.Unknown, Offset: -1, Span: check.Span{Call: r.x.w.Now(), Return: 1 << 62}})
	}
	r.x.mu.Unlock()
	s := sentBatch{bytes: b.Bytes(), sequence: r.sequence}
	r.sequence += n
	var err error
	if s.base, err = r.send(s); err != nil {
		return err
	}
	r.x.mu.Lock()
	for i := range n {
		a := &r.x.h.Sends[at+int(i)]
		a.Outcome, a.Offset, a.Return = check.OK, s.base+int64(i), r.x.w.Now()
		r.x.acks++
	}
	r.x.mu.Unlock()
	r.sent = append(r.sent, s)
	r.sent = r.sent[max(0, len(r.sent)-windowBatches):]
	return nil
}

// again sends an acknowledged batch once more.
//
//   - retry-moved: it is answered with another offset than the first time.
func (r *retrier) again(s sentBatch) error {
	base, err := r.send(s)
	if err == nil && base != s.base {
		r.x.w.Anomaly("retry-moved", where(topic, r.part), "%s: the batch of sequence %d was acknowledged at %d, and sent again at %d", r.p.Name(), s.sequence, s.base, base)
	}
	return err
}

// send sends a batch to whoever leads until it is acknowledged.
//
//   - retry-refused: it is refused for good, though it is the next in its sequence or one
//     of the last that were acknowledged.
func (r *retrier) send(s sentBatch) (base int64, err error) {
	leader := int(r.rng.Int64N(int64(len(r.x.c.Names)))) + 1
	return base, insist(func(ctx context.Context) error {
		q := kmsg.NewPtrProduceRequest()
		q.Acks, q.TimeoutMillis = -1, []int32{30, 300, 3000}[r.rng.IntN(3)]
		t, p := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = r.part, s.bytes
		t.Topic, t.TopicID, t.Partitions = topic, r.id, append(t.Partitions, p)
		q.Topics = append(q.Topics, t)
		a, err := r.cl.Broker(leader).Request(ctx, q)
		if err != nil {
			leader = leader%len(r.x.c.Names) + 1
			return err
		}
		answer := &a.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		err = kerr.ErrorForCode(answer.ErrorCode)
		switch {
		case err == nil && answer.BaseOffset < 0:
			r.x.w.Anomaly("acknowledged-nowhere", where(topic, r.part), "%s: the batch of sequence %d is acknowledged at offset %d", r.p.Name(), s.sequence, answer.BaseOffset)
		case err == nil:
			base = answer.BaseOffset
		case !kerr.IsRetriable(err):
			r.x.w.Anomaly("retry-refused", where(topic, r.part), "%s: the batch of sequence %d: %v", r.p.Name(), s.sequence, err)
			return nil
		default:
			leader = leader%len(r.x.c.Names) + 1
		}
		return err
	})
}

// retry starts a retrier of a partition.
func (x *narrow) retry(part int32, stop <-chan struct{}) <-chan error {
	if x.id == ([16]byte{}) {
		x.id = x.topicID()
	}
	_, done := x.begin("retrier", func(p *simtest.Process, cl *kgo.Client) error {
		r := &retrier{x: x, p: p, cl: cl, rng: x.w.Rand(p.Name()), id: x.id, part: part}
		return r.run(stop)
	}, kgo.RequestRetries(0))
	return done
}

// TestABatchThatComesAgain: whenever a batch comes again, after a change of leader, a
// restart on flushed rows or an answer that never left, it is appended once and answered
// with its first offset.
func TestABatchThatComesAgain(t *testing.T) {
	world(t, small, func(x *narrow) {
		stop := make(chan struct{})
		var running []<-chan error
		for i := range int32(4) {
			running = append(running, x.retry(i%2, stop))
		}
		x.faults(20*time.Second, func(f *faults) {
			f.wait(100*time.Millisecond, 2*time.Second)
			switch f.rng.IntN(4) {
			case 0:
				f.hit(simtest.Isolate, f.node(), 500*time.Millisecond, 2*time.Second)
			case 1:
				f.hit(simtest.Pause, f.node(), 500*time.Millisecond, 2*time.Second)
			case 2:
				f.hit(simtest.Power, f.node(), 50*time.Millisecond, time.Second)
				f.wait(0, time.Second)
			case 3:
				f.all(simtest.Power, 50*time.Millisecond, 500*time.Millisecond)
				f.at += time.Second
			}
		})
		time.Sleep(5 * time.Second)
		close(stop)
		x.settled(running...)
		x.readAll(topic)
		x.replicas()
	})
}
