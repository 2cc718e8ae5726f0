package kafka

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce (key 0): appends one record batch per partition.
//
// Behaviour
//   - The batches are handed to Append in the order of the request, before the connection's next request is read; the
//     response takes its place among the connection's and leaves when every batch has its result.
//   - acks 1 is served as acks −1 (all). acks 0 gets no response; on an error the connection is closed, which is the only
//     way to tell. Any other: INVALID_REQUIRED_ACKS.
//   - A partition must come with exactly one batch, and once: else INVALID_RECORD for it, and nothing of it is appended.
//   - A transactional batch of a partition that is in no open transaction of its producer: TRANSACTION_ABORTABLE, before version
//     11 INVALID_TXN_STATE. One of an older epoch: INVALID_PRODUCER_EPOCH.
//   - A client that hangs up does not withdraw what it sent.
//   - A client over its quota (producer_byte_rate) is served and told to rest; then its connection rests.
//
// Versions
//   - 0 to 2 are advertised, since librdkafka takes a minimum above 0 for a broker without compression (KAFKA-18659); they are
//     refused with UNSUPPORTED_VERSION. 3 is the first with record batches, 9 flexible.
//   - 10 adds the current leader and its address (KIP-951). 11 knows TRANSACTION_ABORTABLE.
//   - 12 is the second transaction protocol (KIP-890): a transactional batch adds its partition to the transaction.
//   - 13 is not served: topic ids.
func produceLayout() *layout { return parseLayout("3+:n h w [ s [ w z ] ]") }

const (
	produceVersionMin       = 3
	produceVersionAbortable = 11
	produceVersionImplicit  = 12
)

// batchHeaderBytes reach up to and with the magic byte of a record batch: base offset 8, length 4, leader epoch 4, magic 1.
const batchHeaderBytes = 17

// produce is one Produce request on its way.
type produce struct {
	request  *request
	response *kmsg.ProduceResponse
	slot     *slot // nil with acks 0
	left     atomic.Int32
	moved    atomic.Bool // a partition's leader is elsewhere
}

// produce starts a request on the reader's goroutine.
func (r *request) produce() {
	q := r.body.(*kmsg.ProduceRequest)
	p := &produce{request: r, response: q.ResponseKind().(*kmsg.ProduceResponse)}
	batches := p.prepare(q)
	if q.Acks != 0 {
		p.slot = r.conn.push(r)
	}
	r.ctx = r.server.life
	p.response.ThrottleMillis = r.charge(broker.QuotaProducerBytes, r.size)
	p.left.Store(1) // ours, so that it is not finished while batches are still handed over
	if refusal := refuseProduce(q); refusal != errNone {
		p.refuseAll(refusal)
	} else {
		p.append(q, batches)
	}
	p.done()
}

// prepare makes the response, with a place per partition, and counts how often each partition is named.
func (p *produce) prepare(q *kmsg.ProduceRequest) map[string]map[int32]int {
	p.response.Topics = make([]kmsg.ProduceResponseTopic, len(q.Topics))
	var named map[string]map[int32]int // nil while there is nothing to confuse
	if len(q.Topics) > 1 || len(q.Topics) == 1 && len(q.Topics[0].Partitions) > 1 {
		named = make(map[string]map[int32]int, len(q.Topics))
	}
	for i := range q.Topics {
		from, to := &q.Topics[i], &p.response.Topics[i]
		to.Topic = from.Topic
		to.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(from.Partitions))
		if named != nil && named[from.Topic] == nil {
			named[from.Topic] = make(map[int32]int, len(from.Partitions))
		}
		for j := range from.Partitions {
			out := &to.Partitions[j]
			out.Default()
			out.Partition = from.Partitions[j].Partition
			out.BaseOffset = -1
			if named != nil {
				named[from.Topic][out.Partition]++
			}
		}
	}
	return named
}

func refuseProduce(q *kmsg.ProduceRequest) int16 {
	switch {
	case q.Version < produceVersionMin:
		return errUnsupportedVersion
	case q.Acks != 0 && q.Acks != 1 && q.Acks != -1:
		return errInvalidRequiredAcks
	}
	return errNone
}

func (p *produce) refuseAll(code int16) {
	for i := range p.response.Topics {
		for j := range p.response.Topics[i].Partitions {
			p.response.Topics[i].Partitions[j].ErrorCode = code
		}
	}
}

func (p *produce) append(q *kmsg.ProduceRequest, named map[string]map[int32]int) {
	id, implicit := deref(q.TransactionID), q.Version >= produceVersionImplicit
	wait := time.Duration(q.TimeoutMillis) * time.Millisecond
	deadline := time.Now().Add(min(max(wait, produceWaitMin), produceWaitMax))
	for i := range q.Topics {
		t, err := p.request.server.broker.FindTopic(p.request.ctx, q.Topics[i].Topic, broker.TopicID{})
		for j := range q.Topics[i].Partitions {
			in, out := &q.Topics[i].Partitions[j], &p.response.Topics[i].Partitions[j]
			refusal := err
			if refusal == nil {
				refusal = hasPartition("append", t, in.Partition)
			}
			if refusal == nil {
				refusal = checkBatch(t, in, named)
			}
			if refusal != nil {
				p.set(out, broker.AppendResult{}, refusal)
				continue
			}
			p.left.Add(1)
			p.request.server.broker.Append(p.request.ctx, &broker.Append{
				Client:    p.request.client,
				Partition: broker.Partition{Topic: t.ID, Index: in.Partition},
				Batch:     in.Records,
				Deadline:  deadline,

				TransactionalID: id,
				Implicit:        implicit,
				Together:        implicit && id != "",
				Done: func(res broker.AppendResult, err error) {
					p.set(out, res, err)
					p.done()
				},
			})
		}
	}
	if implicit && id != "" {
		p.request.server.broker.Appended(id)
	}
}

// checkBatch refuses what is not one batch: the engine sees batches, only we see how many came.
func checkBatch(t broker.TopicRef, in *kmsg.ProduceRequestTopicPartition, named map[string]map[int32]int) error {
	b := in.Records
	switch {
	case named[t.Name][in.Partition] > 1:
		return broker.Errorf(broker.CodeInvalidRecord, "append", "topic "+t.Name, "partition %d is named twice in one request", in.Partition)
	case len(b) == 0:
		return broker.Errorf(broker.CodeInvalidRecord, "append", "topic "+t.Name, "no record batch for partition %d", in.Partition)
	case len(b) >= batchHeaderBytes && b[batchHeaderBytes-1] == 2 && int64(len(b)) > 12+int64(int32(binary.BigEndian.Uint32(b[8:]))) && int32(binary.BigEndian.Uint32(b[8:])) > 0:
		return broker.Errorf(broker.CodeInvalidRecord, "append", "topic "+t.Name, "more than one record batch for partition %d", in.Partition)
	}
	return nil
}

// set writes one partition's result. Partitions have places of their own, so any goroutine may.
func (p *produce) set(out *kmsg.ProduceResponseTopicPartition, res broker.AppendResult, err error) {
	if err != nil {
		out.ErrorCode = inVersion(produceErrors.code(err), p.response.Version, produceVersionMin, produceVersionAbortable)
		out.ErrorMessage = text(err)
		if node, epoch := leader(err); node >= 0 && p.response.Version >= 10 {
			out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = node, epoch
			p.moved.Store(true)
		}
		return
	}
	out.BaseOffset = int64(res.BaseOffset)
	out.LogAppendTime = res.LogAppendTime
	out.LogStartOffset = int64(res.LogStartOffset)
}

// done counts a result; the last one frees the request's bytes and completes the response.
func (p *produce) done() {
	if p.left.Add(-1) > 0 {
		return
	}
	r := p.request
	r.frame.free()
	r.frame, r.body = nil, nil
	if p.slot != nil {
		r.conn.complete(p.slot, p)
		return
	}
	if topic, partition, ok := p.failed(); ok {
		r.conn.report(faultf("acks 0: topic %s partition %d: error %d (%s)", topic, partition.Partition, partition.ErrorCode, deref(partition.ErrorMessage)))
		r.conn.close()
	}
	r.conn.settle(r.size)
}

func (p *produce) failed() (topic string, partition *kmsg.ProduceResponseTopicPartition, ok bool) {
	for i := range p.response.Topics {
		for j := range p.response.Topics[i].Partitions {
			if out := &p.response.Topics[i].Partitions[j]; out.ErrorCode != errNone {
				return p.response.Topics[i].Topic, out, true
			}
		}
	}
	return "", nil, false
}

// encode runs on the writer's goroutine, not in Done.
func (p *produce) encode(o *outgoing, correlation int32) {
	if p.moved.Load() {
		for _, n := range p.request.server.broker.Nodes() {
			b := kmsg.NewProduceResponseBroker()
			b.NodeID, b.Host, b.Port, b.Rack = int32(n.ID), n.Kafka.Host, n.Kafka.Port, nullable(n.Rack)
			p.response.Brokers = append(p.response.Brokers, b)
		}
		message{p.response}.encode(o, correlation)
		return
	}
	flexible := p.response.IsFlexible()
	start, spliced := o.begin(correlation, flexible)
	encodePlain(&writer{outgoing: o, flexible: flexible}, p.response)
	o.end(start, spliced)
}

func (p *produce) release() {}
