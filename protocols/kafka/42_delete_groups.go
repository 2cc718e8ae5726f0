package kafka

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteGroups (key 42): deletes empty groups and their offsets.
//
// Behaviour
//   - Each group has its own result: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND.
//
// Versions
//   - 2 flexible. 3 is newer than Kafka 4.1.
func deleteGroupsLayout() *layout { return parseLayout("( s )") }

func deleteGroups(r *request, q *kmsg.DeleteGroupsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DeleteGroupsResponse)
	resp.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(q.Groups))
	fanOut(len(q.Groups), func(i int) {
		resp.Groups[i].Default()
		resp.Groups[i].Group = q.Groups[i]
		resp.Groups[i].ErrorCode = commitErrors.code(r.server.broker.DeleteGroup(r.ctx, r.client, q.Groups[i]))
	})
	return resp
}
