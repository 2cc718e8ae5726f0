package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LeaveGroup (key 13): members leave a group.
//
// Behaviour
//   - Each member has its own error; before version 3 the only member's error is the request's.
//
// Versions
//   - 3 several members, by id or group.instance.id (KIP-345); 4 flexible; 5 a reason (KIP-800).
func leaveGroupLayout() *layout { return parseLayout("s 0-2:s 3+:[ s n 5+:n ]") }

func leaveGroup(r *request, q *kmsg.LeaveGroupRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.LeaveGroupResponse)
	ms := make([]broker.LeavingMember, 0, max(len(q.Members), 1))
	if q.Version < 3 {
		ms = append(ms, broker.LeavingMember{MemberID: q.MemberID})
	}
	for _, m := range q.Members {
		ms = append(ms, broker.LeavingMember{MemberID: m.MemberID, InstanceID: deref(m.InstanceID), Reason: deref(m.Reason)})
	}
	errs, err := r.server.broker.LeaveGroup(r.ctx, q.Group, r.client, ms)
	if err != nil {
		resp.ErrorCode = memberErrors.code(err)
		return resp
	}
	if q.Version < 3 {
		resp.ErrorCode = memberErrors.code(errs[0])
		return resp
	}
	for i, m := range q.Members {
		resp.Members = append(resp.Members, kmsg.LeaveGroupResponseMember{
			MemberID: m.MemberID, InstanceID: m.InstanceID, ErrorCode: memberErrors.code(errs[i]),
		})
	}
	return resp
}
