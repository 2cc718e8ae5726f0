package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddPartitionsToTxn (key 24): partitions become part of the open transaction, and one begins if none is open.
//
// Behaviour
//   - Only the coordinator of the transactional id answers. The answer comes when every partition knows the transaction, so
//     that what the client sends next is a part of this one and of no other.
//   - A partition that does not exist: UNKNOWN_TOPIC_OR_PARTITION, and OPERATION_NOT_ATTEMPTED for the others.
//   - Under protocol version 1 a request over an older connection than the client's newest closes that connection unanswered
//     (KAFKA-17754).
//
// Versions
//   - 0 to 3 are for clients; 2 PRODUCER_FENCED instead of INVALID_PRODUCER_EPOCH; 3 flexible.
//   - 4 and 5 name several transactions and can verify only; 5 speaks the second protocol version (KIP-890).
func addPartitionsToTxnLayout() *layout {
	return parseLayout("0-3:s 0-3:l 0-3:h 0-3:[ s ( w ) ] 4+:[ s l h b [ s ( w ) ] ]")
}

// addVersionBatched is the first with several transactions.
const addVersionBatched = 4

// addVersionSecond is the first of the second protocol version.
const addVersionSecond = 5

func addPartitionsToTxn(r *request, q *kmsg.AddPartitionsToTxnRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	if q.Version < addVersionBatched {
		x := kmsg.AddPartitionsToTxnRequestTransaction{TransactionalID: q.TransactionalID, ProducerID: q.ProducerID, ProducerEpoch: q.ProducerEpoch}
		for _, t := range q.Topics {
			x.Topics = append(x.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: t.Topic, Partitions: t.Partitions})
		}
		for _, t := range addOne(r, q.Version, &x) {
			old := kmsg.AddPartitionsToTxnResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				old.Partitions = append(old.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: p.Partition, ErrorCode: p.ErrorCode})
			}
			resp.Topics = append(resp.Topics, old)
		}
		return resp
	}
	resp.Transactions = make([]kmsg.AddPartitionsToTxnResponseTransaction, len(q.Transactions))
	fanOut(len(q.Transactions), func(i int) {
		x := &q.Transactions[i]
		resp.Transactions[i] = kmsg.AddPartitionsToTxnResponseTransaction{TransactionalID: x.TransactionalID, Topics: addOne(r, q.Version, x)}
	})
	return resp
}

// addOne adds or verifies the partitions of one transaction.
func addOne(r *request, version int16, x *kmsg.AddPartitionsToTxnRequestTransaction) []kmsg.AddPartitionsToTxnResponseTransactionTopic {
	add := &broker.AddPartitions{TransactionalProducer: r.producer(x.TransactionalID, x.ProducerID, x.ProducerEpoch, version >= addVersionSecond)}
	out := make([]kmsg.AddPartitionsToTxnResponseTransactionTopic, len(x.Topics))
	var places []*int16
	unknown := false
	for i, t := range x.Topics {
		out[i].Topic = t.Topic
		out[i].Partitions = make([]kmsg.AddPartitionsToTxnResponseTransactionTopicPartition, len(t.Partitions))
		ref, err := r.server.broker.FindTopic(r.ctx, t.Topic, broker.TopicID{})
		for j, index := range t.Partitions {
			p := &out[i].Partitions[j]
			p.Partition = index
			refusal := err
			if refusal == nil {
				refusal = hasPartition("add partitions", ref, index)
			}
			if refusal != nil {
				p.ErrorCode, unknown = txnErrors.code(refusal), true
				continue
			}
			places = append(places, &p.ErrorCode)
			add.Partitions = append(add.Partitions, broker.Partition{Topic: ref.ID, Index: index})
		}
	}
	switch {
	case len(places) == 0:
	case x.VerifyOnly:
		errs, err := r.server.broker.VerifyPartitions(r.ctx, add)
		for i, place := range places {
			if err == nil {
				*place = r.refused(errs[i], version, addVersionFenced, addVersionBatched)
			} else {
				*place = r.refused(err, version, addVersionFenced, addVersionBatched)
			}
		}
	case unknown:
		for _, place := range places {
			*place = errOperationNotAttempted
		}
	default:
		code := r.refused(r.server.broker.AddPartitions(r.ctx, add), version, addVersionFenced, addVersionBatched)
		for _, place := range places {
			*place = code
		}
	}
	return out
}

// addVersionFenced is the first of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn that knows PRODUCER_FENCED.
const addVersionFenced = 2

// producer is who a request of a transaction comes from.
func (r *request) producer(id string, producer int64, epoch int16, second bool) broker.TransactionalProducer {
	p := broker.TransactionalProducer{Client: r.client, ID: id, Producer: broker.ProducerID(producer), Epoch: broker.ProducerEpoch(epoch), Protocol: broker.ProtocolV1}
	if second {
		p.Protocol = broker.ProtocolV2
	}
	return p
}

// refused is the error code of a coordinator's answer in a version that knows PRODUCER_FENCED from one version on, and
// TRANSACTION_ABORTABLE from another. A request over a connection that is too old gets no answer at all.
func (r *request) refused(err error, version, fenced, abortable int16) int16 {
	if broker.CodeOf(err) == broker.CodeStaleConnection {
		r.conn.report(err)
		r.conn.close()
	}
	return inVersion(txnErrors.code(err), version, fenced, abortable)
}

// inVersion replaces codes that a version does not know.
func inVersion(code, version, fenced, abortable int16) int16 {
	switch {
	case code == errProducerFenced && version < fenced:
		return errInvalidProducerEpoch
	case code == errTransactionAbortable && version < abortable:
		return errInvalidTxnState
	case code == errPolicyViolation && version >= abortable: // a transaction that became too large: the client can abort it
		return errTransactionAbortable
	}
	return code
}
