package kafka

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SyncGroup (key 14): brings or fetches the assignments of a generation.
//
// Behaviour
//   - Waits until the leader's assignments are stored, the connection closes or the server stops.
//
// Versions
//   - 3 group.instance.id; 4 flexible; 5 protocol type and name, checked if given (KIP-559).
func syncGroupLayout() *layout { return parseLayout("s w s 3+:n 5+:n 5+:n [ s y ]") }

func syncGroup(r *request, q *kmsg.SyncGroupRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.SyncGroupResponse)
	sync := &broker.SyncGroup{
		GroupMember: broker.GroupMember{
			Client: r.client, Group: q.Group, MemberID: q.MemberID, InstanceID: deref(q.InstanceID), Generation: broker.Generation(q.Generation),
		},
		ProtocolType: deref(q.ProtocolType),
		Protocol:     deref(q.Protocol),
	}
	for _, a := range q.GroupAssignment {
		sync.Assignments = append(sync.Assignments, broker.MemberAssignment{MemberID: a.MemberID, Assignment: a.MemberAssignment})
	}
	ctx, cancel := context.WithTimeout(r.ctx, groupWaitMax)
	defer cancel()
	got, err := r.server.broker.SyncGroup(ctx, sync)
	resp.MemberAssignment = []byte{}
	if err != nil {
		resp.ErrorCode = memberErrors.code(waited(r, err, "sync group", q.Group))
		return resp
	}
	resp.ProtocolType, resp.Protocol = nullable(got.ProtocolType), nullable(got.Protocol)
	resp.MemberAssignment = append(resp.MemberAssignment, got.Assignment...)
	return resp
}
