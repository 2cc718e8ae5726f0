package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

// producer is one incarnation of one client that sends.
type producer struct {
	l       *workload
	name    string
	cl      *kgo.Client
	rng     *rand.Rand
	topic   string
	ordered bool // its records stand in the order in which it sent them
	deaf    bool // it asks for no answer
	keys    int  // its records have one of so many, and some delete theirs; 0: none has
	sent    int
}

// idempotent producers retry as often as they like; what they sent is there once, in
// order. Several batches are in flight. One that is started again has another id.
func (l *workload) idempotent(p *simtest.Process, name, to string) error {
	return l.produce(&producer{name: name, topic: to, ordered: true}, p, kgo.ProducerLinger(l.linger), kgo.ProducerBatchCompression(l.compression))
}

// keepBooks is main of an idempotent producer of balances.
func (l *workload) keepBooks(p *simtest.Process, name string) error {
	return l.produce(&producer{name: name, topic: balances, ordered: true, keys: balanceKeys}, p, kgo.ProducerLinger(l.linger), kgo.ProducerBatchCompression(l.compression))
}

// plain producers have no id, and send nothing twice: what failed may be there or not,
// and before or behind what came later.
func (l *workload) plain(p *simtest.Process, name string) error {
	return l.produce(&producer{name: name, topic: topic}, p, kgo.DisableIdempotentWrite(), kgo.RecordRetries(0), kgo.ProducerLinger(l.linger))
}

// careless producers want no answer, so nothing is ever acknowledged to them.
func (l *workload) careless(p *simtest.Process, name string) error {
	return l.produce(&producer{name: name, topic: topic, deaf: true}, p,
		kgo.DisableIdempotentWrite(), kgo.RecordRetries(0), kgo.RequiredAcks(kgo.NoAck()), kgo.ProducerLinger(l.linger))
}

// produce is main of a producer.
func (l *workload) produce(r *producer, p *simtest.Process, opts ...kgo.Opt) (err error) {
	r.l, r.rng = l, l.w.Rand("producer "+r.name)
	if r.cl, err = kgo.NewClient(l.options(p, append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)...); err != nil {
		return err
	}
	for !l.stopped(l.every) {
		for range 1 + r.rng.IntN(l.batch) {
			r.send()
		}
	}
	return r.cl.Flush(context.Background())
}

// tombstoneHeader has what tells a record from others that has no value.
const tombstoneHeader = "id"

// textOf is what a record is known by.
func textOf(r *kgo.Record) string {
	if r.Value == nil && len(r.Headers) == 1 {
		return string(r.Headers[0].Value)
	}
	return string(r.Value)
}

// send gives one record to the library and notes what becomes of it.
func (r *producer) send() {
	l := r.l
	to := int32(r.rng.IntN(int(l.partitions[r.topic])))
	value := fmt.Sprintf("%s-%d-", r.name, r.sent)
	value += strings.Repeat("x", max(r.rng.IntN(l.recordBytes)-len(value), 0))
	s := check.Send{Producer: r.name, Sequence: r.sent, Partition: place(r.topic, to), Value: value, Outcome: check.Unknown, Offset: -1}
	if !r.ordered {
		s.Producer = fmt.Sprintf("%s-%d", r.name, r.sent)
	}
	rec := &kgo.Record{Topic: r.topic, Partition: to, Value: []byte(value)}
	if r.keys > 0 {
		s.Key, s.Tombstone = fmt.Sprint("account", r.rng.IntN(r.keys)), r.rng.IntN(4) == 0
		rec.Key = []byte(s.Key)
	}
	if s.Tombstone {
		rec.Value, rec.Headers = nil, []kgo.RecordHeader{{Key: tombstoneHeader, Value: []byte(value)}}
	}
	r.sent++
	s.Call, s.Return = l.w.Now(), 1<<62
	l.mu.Lock()
	at := len(l.h.Sends)
	l.h.Sends = append(l.h.Sends, s)
	l.mu.Unlock()
	r.cl.Produce(context.Background(), rec, func(rec *kgo.Record, err error) {
		l.w.Result(r.name, "%.24s: offset %d, %v", value, rec.Offset, err)
		if err != nil || r.deaf {
			return
		}
		now := l.w.Now()
		l.mu.Lock()
		defer l.mu.Unlock()
		s := &l.h.Sends[at]
		s.Return, s.Outcome, s.Offset = now, check.OK, rec.Offset
		l.acks++
	})
}
