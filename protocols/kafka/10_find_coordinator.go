package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FindCoordinator (key 10): the node to talk to about a group or a transactional id.
//
// Behaviour
//   - Type 0 (group): the leader of the group's shard; COORDINATOR_NOT_AVAILABLE when there is none.
//   - Type 1 (transaction): the same, of the transactional id's shard. Any other type: INVALID_REQUEST.
//
// Versions
//   - 1 types and a message; 3 flexible; 4 several keys; 5 nothing here; 6 share groups (KIP-932), which are refused.
func findCoordinatorLayout() *layout { return parseLayout("0-3:s 1+:b 4+:( s )") }

const (
	coordinatorGroup       int8 = 0
	coordinatorTransaction int8 = 1
)

func findCoordinator(r *request, q *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.FindCoordinatorResponse)
	if q.Version >= 4 {
		resp.Coordinators = make([]kmsg.FindCoordinatorResponseCoordinator, len(q.CoordinatorKeys))
		fanOut(len(q.CoordinatorKeys), func(i int) {
			resp.Coordinators[i] = coordinatorOf(r, q.CoordinatorType, q.CoordinatorKeys[i])
		})
		return resp
	}
	c := coordinatorOf(r, q.CoordinatorType, q.CoordinatorKey)
	resp.ErrorCode, resp.ErrorMessage, resp.NodeID, resp.Host, resp.Port = c.ErrorCode, c.ErrorMessage, c.NodeID, c.Host, c.Port
	return resp
}

func coordinatorOf(r *request, kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key, c.NodeID, c.Port = key, -1, -1
	var n broker.Node
	var err error
	switch kind {
	case coordinatorGroup:
		n, err = r.server.broker.Coordinator(r.ctx, key)
	case coordinatorTransaction:
		n, err = r.server.broker.TransactionCoordinator(r.ctx, key)
	default:
		err = broker.Errorf(broker.CodeInvalidRequest, "find coordinator", key, "coordinator type %d is not offered", kind)
	}
	if err != nil {
		c.ErrorCode, c.ErrorMessage = lookErrors.code(err), text(err)
		return c
	}
	c.NodeID, c.Host, c.Port = int32(n.ID), n.Kafka.Host, n.Kafka.Port
	return c
}
