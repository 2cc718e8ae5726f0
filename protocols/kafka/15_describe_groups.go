package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeGroups (key 15): state and members of groups.
//
// Behaviour
//   - A group that does not exist is "Dead" without an error, as in Kafka, until version 6, which says GROUP_ID_NOT_FOUND (KIP-1043).
//
// Versions
//   - 3 authorised operations; 4 group.instance.id; 5 flexible; 6 GROUP_ID_NOT_FOUND and a message.
func describeGroupsLayout() *layout { return parseLayout("( s ) 3+:b") }

func describeGroups(r *request, q *kmsg.DescribeGroupsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeGroupsResponse)
	resp.Groups = make([]kmsg.DescribeGroupsResponseGroup, len(q.Groups))
	fanOut(len(q.Groups), func(i int) { resp.Groups[i] = describeGroup(r, q, q.Groups[i]) })
	return resp
}

func describeGroup(r *request, q *kmsg.DescribeGroupsRequest, group string) kmsg.DescribeGroupsResponseGroup {
	g := kmsg.NewDescribeGroupsResponseGroup()
	g.Group = group
	d, err := r.server.broker.DescribeGroup(r.ctx, group)
	if err != nil {
		if broker.CodeOf(err) == broker.CodeGroupNotFound {
			g.State = string(broker.GroupDead)
		}
		if g.State == "" || q.Version >= 6 {
			g.ErrorCode, g.ErrorMessage = lookErrors.code(err), text(err)
		}
		return g
	}
	g.State, g.ProtocolType, g.Protocol = string(d.State), d.ProtocolType, d.Protocol
	if q.IncludeAuthorizedOperations {
		g.AuthorizedOperations = groupOperations
	}
	for _, m := range d.Members {
		g.Members = append(g.Members, kmsg.DescribeGroupsResponseGroupMember{
			MemberID: m.MemberID, InstanceID: nullable(m.InstanceID), ClientID: m.ClientID, ClientHost: m.ClientHost,
			ProtocolMetadata: orEmpty(m.Metadata), MemberAssignment: orEmpty(m.Assignment),
		})
	}
	return g
}

func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
