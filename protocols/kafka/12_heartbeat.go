package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat (key 12): a member lives.
//
// Behaviour
//   - REBALANCE_IN_PROGRESS tells the member to join again.
//
// Versions
//   - 3 group.instance.id; 4 flexible.
func heartbeatLayout() *layout { return parseLayout("s w s 3+:n") }

func heartbeat(r *request, q *kmsg.HeartbeatRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.HeartbeatResponse)
	resp.ErrorCode = memberErrors.code(r.server.broker.Heartbeat(r.ctx, broker.GroupMember{
		Client: r.client, Group: q.Group, MemberID: q.MemberID, InstanceID: deref(q.InstanceID), Generation: broker.Generation(q.Generation),
	}))
	return resp
}
