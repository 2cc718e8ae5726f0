package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/ops/wire"
)

const (
	askWait   = 30 * time.Second
	retryFor  = 20 * time.Second
	retryWait = 50 * time.Millisecond
)

// client is a transactional client of its own id, group and topic, at a broker that is alone. What it cannot do that it must be able to
// panics with a failure, which ends the situation.
type client struct {
	conn     *wire.Conn
	id       string
	producer int64
	epoch    int16
	sequence int32
	born     int64 // ms since 1970: the time of its records
}

// failure is why a situation could not be brought about.
type failure struct{ err error }

func newClient(address string) *client {
	conn, err := wire.Dial(address, askWait)
	if err != nil {
		panic(failure{err})
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return &client{conn: conn, id: "errors-" + hex.EncodeToString(b[:]), producer: -1, epoch: -1, born: time.Now().UnixMilli()}
}

// ask sends a request until the answer is not that it is to be sent again.
func ask[R kmsg.Response](c *client, version int16, q kmsg.Request, code func(R) int16) (R, int16) {
	for end := time.Now().Add(retryFor); ; time.Sleep(retryWait) {
		resp, err := c.conn.Ask(version, q)
		if err != nil {
			panic(failure{fmt.Errorf("%s version %d: %w", kmsg.NameForKey(q.Key()), version, err)})
		}
		got := code(resp.(R))
		switch e := kerr.ErrorForCode(got); {
		case errors.Is(e, kerr.CoordinatorLoadInProgress), errors.Is(e, kerr.CoordinatorNotAvailable), errors.Is(e, kerr.NotCoordinator),
			errors.Is(e, kerr.ConcurrentTransactions), errors.Is(e, kerr.NotLeaderForPartition), errors.Is(e, kerr.LeaderNotAvailable):
			if time.Now().Before(end) {
				continue
			}
		}
		return resp.(R), got
	}
}

// must is for what a situation needs.
func must(what string, code int16) {
	if code != 0 {
		panic(failure{fmt.Errorf("%s: %w", what, kerr.ErrorForCode(code))})
	}
}

// ready makes the topic, finds the coordinators as clients do, and gives the id a producer.
func (c *client) ready() *client {
	c.createTopic()
	c.findCoordinator(1)
	c.findCoordinator(0)
	must("init", c.initialise(4))
	return c
}

func (c *client) createTopic() {
	q := kmsg.NewPtrCreateTopicsRequest()
	q.TimeoutMillis = 10_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = c.id, 2, 1
	q.Topics = append(q.Topics, t)
	_, code := ask(c, 5, q, func(r *kmsg.CreateTopicsResponse) int16 { return r.Topics[0].ErrorCode })
	must("create topic", code)
	m := kmsg.NewPtrMetadataRequest() // Kafka answers before its brokers know of it
	m.Topics = []kmsg.MetadataRequestTopic{{Topic: &c.id}}
	for range 3 {
		_, code = ask(c, 9, m, func(r *kmsg.MetadataResponse) int16 {
			if r.Topics[0].ErrorCode == kerr.UnknownTopicOrPartition.Code {
				return kerr.LeaderNotAvailable.Code
			}
			return r.Topics[0].ErrorCode
		})
		must("find topic", code)
	}
}

func (c *client) findCoordinator(kind int8) {
	q := kmsg.NewPtrFindCoordinatorRequest()
	q.CoordinatorKey, q.CoordinatorType = c.id, kind
	_, code := ask(c, 3, q, func(r *kmsg.FindCoordinatorResponse) int16 { return r.ErrorCode })
	must("find coordinator", code)
}

func (c *client) initRequest() *kmsg.InitProducerIDRequest {
	q := kmsg.NewPtrInitProducerIDRequest()
	q.TransactionalID, q.TransactionTimeoutMillis, q.ProducerID, q.ProducerEpoch = &c.id, 60_000, -1, -1
	return q
}

func initCode(r *kmsg.InitProducerIDResponse) int16 { return r.ErrorCode }

func (c *client) initialise(version int16) int16 {
	r, code := ask(c, version, c.initRequest(), initCode)
	if code == 0 {
		c.producer, c.epoch, c.sequence = r.ProducerID, r.ProducerEpoch, 0
	}
	return code
}

func (c *client) add(version int16, partitions ...int32) int16 {
	q := kmsg.NewPtrAddPartitionsToTxnRequest()
	q.TransactionalID, q.ProducerID, q.ProducerEpoch = c.id, c.producer, c.epoch
	q.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: c.id, Partitions: partitions}}
	_, code := ask(c, version, q, func(r *kmsg.AddPartitionsToTxnResponse) int16 {
		for _, p := range r.Topics[0].Partitions { // in any order
			if p.Partition == partitions[0] {
				return p.ErrorCode
			}
		}
		return -1
	})
	return code
}

func (c *client) addGroup(version int16, group string) int16 {
	q := kmsg.NewPtrAddOffsetsToTxnRequest()
	q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Group = c.id, c.producer, c.epoch, group
	_, code := ask(c, version, q, func(r *kmsg.AddOffsetsToTxnResponse) int16 { return r.ErrorCode })
	return code
}

// offer is TxnOffsetCommit; change may falsify it.
func (c *client) offer(version int16, change func(*kmsg.TxnOffsetCommitRequest)) int16 {
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	q.TransactionalID, q.Group, q.ProducerID, q.ProducerEpoch, q.Generation = c.id, c.id, c.producer, c.epoch, -1
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.LeaderEpoch = -1
	q.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: c.id, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
	if change != nil {
		change(q)
	}
	_, code := ask(c, version, q, func(r *kmsg.TxnOffsetCommitResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
	return code
}

func (c *client) end(version int16, commit bool) int16 {
	q := kmsg.NewPtrEndTxnRequest()
	q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Commit = c.id, c.producer, c.epoch, commit
	_, code := ask(c, version, q, func(r *kmsg.EndTxnResponse) int16 { return r.ErrorCode })
	return code
}

func (c *client) produce(version int16, partition int32) int16 {
	return c.send(version, partition, "v")
}

func (c *client) send(version int16, partition int32, value string) int16 {
	b := batch.NewBuilder()
	b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Transactional = c.producer, c.epoch, c.sequence, true
	b.Append(batch.Record{Value: []byte(value), Timestamp: c.born})
	q := kmsg.NewPtrProduceRequest()
	q.TransactionID, q.Acks, q.TimeoutMillis = &c.id, -1, 10_000
	q.Topics = []kmsg.ProduceRequestTopic{{Topic: c.id, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: b.Bytes()}}}}
	_, code := ask(c, version, q, func(r *kmsg.ProduceResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
	return code
}

// open begins a transaction of the first protocol version with a record in it.
func (c *client) open() *client {
	must("add partition", c.add(3, 0))
	must("produce", c.produce(9, 0))
	c.sequence++
	return c
}
