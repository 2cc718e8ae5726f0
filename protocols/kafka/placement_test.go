package kafka_test

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/kafka"
	"github.com/tallymq/tallymq/protocols/kafka/kafkatest"
)

// A shard that is getting a replica shows as a reassignment of its partitions, which cannot be cancelled.
func TestClientSeesReassignments(t *testing.T) {
	ctx := within(t)
	w := newWorld(t, kafka.Limits{})
	moving := w.topic("moving", 2)
	moving.Partitions[1].Joining = []broker.NodeID{4}
	w.topic("settled", 1)
	q := kmsg.NewPtrListPartitionReassignmentsRequest()
	r, err := q.RequestWith(ctx, w.client())
	if err != nil || r.ErrorCode != 0 || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	if p := r.Topics[0].Partitions[0]; p.Partition != 1 || !same(p.Replicas, 1, 4) || !same(p.AddingReplicas, 4) || len(p.RemovingReplicas) != 0 {
		t.Errorf("%+v", p)
	}
	adm := kadm.NewClient(w.client())
	var cancel kadm.AlterPartitionAssignmentsReq
	cancel.CancelAssign("moving", 1)
	cancel.CancelAssign("settled", 0)
	rs, err := adm.AlterPartitionAssignments(ctx, cancel)
	if err != nil || !errors.Is(rs["moving"][1].Err, kerr.PolicyViolation) || !errors.Is(rs["settled"][0].Err, kerr.NoReassignmentInProgress) {
		t.Errorf("cancel: %+v %v", rs, err)
	}
}

// Elections of all partitions name only those that were to change; an unclean one never elects.
func TestClientElects(t *testing.T) {
	ctx := within(t)
	w := newWorld(t, kafka.Limits{})
	orphan := w.topic("orphan", 2)
	orphan.Partitions[1].Leader = broker.NoNode
	q := kmsg.NewPtrElectLeadersRequest()
	r, err := q.RequestWith(ctx, w.client())
	if err != nil || r.ErrorCode != 0 || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || r.Topics[0].Partitions[0].Partition != 1 {
		t.Errorf("preferred: %+v %v", r, err)
	}
	q.ElectionType = 1
	r, err = q.RequestWith(ctx, w.client())
	if err != nil || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || r.Topics[0].Partitions[0].ErrorCode != kerr.EligibleLeadersNotAvailable.Code {
		t.Errorf("unclean: %+v %v", r, err)
	}
}

// Sizes are those of the logs; a node that does not know its topics says so for its folder.
func TestClientDescribesLogDirs(t *testing.T) {
	ctx := within(t)
	unknown := false
	w := newWorld(t, kafka.Limits{}, func(b *kafkatest.Broker) {
		b.Refuse = func(op, _ string) error {
			if unknown && op == "log dir" {
				return broker.Refuse(broker.CodeUnavailable, op, "")
			}
			return nil
		}
	})
	w.topic("t", 2)
	appendTo(t, w.broker, 1)
	q := kmsg.NewPtrDescribeLogDirsRequest()
	r, err := q.RequestWith(ctx, w.client().Broker(1))
	if err != nil || len(r.Dirs) != 1 || r.Dirs[0].Dir != "/data" || r.Dirs[0].TotalBytes != 1000 || r.Dirs[0].UsableBytes != -1 || len(r.Dirs[0].Topics) != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	if ps := r.Dirs[0].Topics[0].Partitions; len(ps) != 2 || ps[0].Size != 0 || ps[1].Size != int64(len(batch(10))) {
		t.Errorf("%+v", ps)
	}
	q.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "t", Partitions: []int32{1}}, {Topic: "u", Partitions: []int32{0}}}
	if r, err := q.RequestWith(ctx, w.client().Broker(1)); err != nil || len(r.Dirs[0].Topics) != 1 || len(r.Dirs[0].Topics[0].Partitions) != 1 {
		t.Errorf("%+v %v", r, err)
	}
	unknown = true
	if r, err := q.RequestWith(ctx, w.client().Broker(1)); err != nil || r.Dirs[0].ErrorCode != kerr.KafkaStorageError.Code {
		t.Errorf("%+v %v", r, err)
	}
}
