package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// JoinGroup (key 11): takes part in a group's next generation.
//
// Behaviour
//   - Waits until the rebalance completes, the connection closes or the server stops.
//   - From version 4 a dynamic member without id is given one and told to come again (MEMBER_ID_REQUIRED, KIP-394).
//   - Only the leader gets the members.
//
// Versions
//   - 0 and 1 are back since Kafka 4.1 (KAFKA-19444), for librdkafka. 1 rebalance time-out (0: the session's); 5
//     group.instance.id; 6 flexible; 7 protocol type; 8 a reason (KIP-800); 9 skip assignment (KIP-814).
func joinGroupLayout() *layout { return parseLayout("s w 1+:w s 5+:n s [ s y ] 8+:n") }

func joinGroup(r *request, q *kmsg.JoinGroupRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.JoinGroupResponse)
	join := &broker.JoinGroup{
		GroupMember: broker.GroupMember{
			Client: r.client, Group: q.Group, MemberID: q.MemberID, InstanceID: deref(q.InstanceID), Generation: -1,
		},
		ProtocolType:       q.ProtocolType,
		SessionTimeout:     time.Duration(q.SessionTimeoutMillis) * time.Millisecond,
		RebalanceTimeout:   time.Duration(q.RebalanceTimeoutMillis) * time.Millisecond,
		RequireKnownMember: q.Version >= 4 && deref(q.InstanceID) == "",
		CanSkipAssignment:  q.Version >= 9,
		Reason:             deref(q.Reason),
	}
	if q.Version < 1 {
		join.RebalanceTimeout = join.SessionTimeout
	}
	for _, p := range q.Protocols {
		join.Protocols = append(join.Protocols, broker.GroupProtocol{Name: p.Name, Metadata: p.Metadata})
	}
	ctx, cancel := context.WithTimeout(r.ctx, min(max(join.RebalanceTimeout, join.SessionTimeout, 0)+groupWaitSlack, groupWaitMax))
	defer cancel()
	j, err := r.server.broker.JoinGroup(ctx, join)
	if err != nil {
		resp.ErrorCode = memberErrors.code(waited(r, err, "join group", q.Group))
		resp.Generation, resp.MemberID = -1, q.MemberID
		resp.Protocol = protocolOrNull(q.Version, "")
		var e *broker.Error
		if errors.As(err, &e) && e.Code == broker.CodeMemberIDRequired {
			resp.MemberID = e.MemberID
		}
		return resp
	}
	resp.Generation = int32(j.Generation)
	resp.ProtocolType = nullable(j.ProtocolType)
	resp.Protocol = protocolOrNull(q.Version, j.Protocol)
	resp.LeaderID, resp.MemberID, resp.SkipAssignment = j.LeaderID, j.MemberID, j.SkipAssignment
	for _, m := range j.Members {
		resp.Members = append(resp.Members, kmsg.JoinGroupResponseMember{
			MemberID: m.MemberID, InstanceID: nullable(m.InstanceID), ProtocolMetadata: m.Metadata,
		})
	}
	return resp
}

// protocolOrNull: the protocol's name may be null from version 7 on.
func protocolOrNull(version int16, name string) *string {
	if version >= 7 {
		return nullable(name)
	}
	return &name
}

// waited gives an error of our own context its meaning: the client is gone, or we are stopping.
func waited(r *request, err error, op, group string) error {
	if r.ctx.Err() != nil && broker.CodeOf(err) == broker.CodeInternal {
		return broker.Refuse(broker.CodeShuttingDown, op, "group "+group)
	}
	return err
}
