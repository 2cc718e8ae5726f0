package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TxnOffsetCommit (key 28): positions of a group that come into force with the transaction's commit.
//
// Behaviour
//   - Only the group's coordinator answers. Fenced by transaction, member, instance and generation when it is applied.
//   - Until the decision nobody sees them; OffsetFetch with require stable waits for it.
//   - Of a pending position and an ordinary commit the one that was sent later stays.
//   - Under the first protocol version a transaction takes positions from one connection only: over another one
//     ILLEGAL_GENERATION, and a late request over an older one closes that connection unanswered.
//
// Versions
//   - 2 leader epoch; 3 flexible, member and generation (KIP-447); 4 TRANSACTION_ABORTABLE; 5 the second protocol version:
//     the group is added to the transaction by it.
func txnOffsetCommitLayout() *layout {
	return parseLayout("s s l h 3+:w 3+:s 3+:n [ s [ w l 2+:w n ] ]")
}

const txnCommitVersionSecond = 5

func txnOffsetCommit(r *request, q *kmsg.TxnOffsetCommitRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	offer := &broker.OfferOffsets{
		TransactionalProducer: r.producer(q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Version >= txnCommitVersionSecond),
		Member:                broker.GroupMember{Client: r.client, Group: q.Group, MemberID: q.MemberID, InstanceID: deref(q.InstanceID), Generation: broker.Generation(q.Generation)},
	}
	var places []*int16
	resp.Topics = make([]kmsg.TxnOffsetCommitResponseTopic, len(q.Topics))
	for i := range q.Topics {
		from, to := &q.Topics[i], &resp.Topics[i]
		to.Topic = from.Topic
		to.Partitions = make([]kmsg.TxnOffsetCommitResponseTopicPartition, len(from.Partitions))
		for j := range from.Partitions {
			in, out := &from.Partitions[j], &to.Partitions[j]
			out.Partition = in.Partition
			places = append(places, &out.ErrorCode)
			offer.Offsets = append(offer.Offsets, broker.CommitOffset{
				Topic: from.Topic, Partition: in.Partition, Offset: broker.Offset(in.Offset), Epoch: broker.LeaderEpoch(in.LeaderEpoch), Metadata: deref(in.Metadata),
			})
		}
	}
	errs, err := r.server.broker.OfferOffsets(r.ctx, offer)
	for i, place := range places {
		if err == nil {
			*place = r.refused(errs[i], q.Version, txnCommitFencedNever, 4)
		} else {
			*place = r.refused(err, q.Version, txnCommitFencedNever, 4)
		}
	}
	return resp
}

// txnCommitFencedNever: Kafka's TxnOffsetCommit answers a fenced producer with INVALID_PRODUCER_EPOCH in all versions.
const txnCommitFencedNever int16 = 1<<15 - 1
