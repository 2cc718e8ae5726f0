package kafka

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListGroups (key 16): the groups that this node coordinates.
//
// Behaviour
//   - Filters by state and type are compared without regard to case; empty: all. Every group is of type "classic".
//
// Versions
//   - 3 flexible; 4 states (KIP-518); 5 types (KIP-848).
func listGroupsLayout() *layout { return parseLayout("4+:( s ) 5+:( s )") }

const groupTypeClassic = "classic"

func listGroups(r *request, q *kmsg.ListGroupsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ListGroupsResponse)
	gs, err := r.server.broker.ListGroups(r.ctx)
	if err != nil {
		resp.ErrorCode = lookErrors.code(err)
		return resp
	}
	for _, g := range gs {
		if !matchesFilter(q.StatesFilter, string(g.State)) || !matchesFilter(q.TypesFilter, groupTypeClassic) {
			continue
		}
		resp.Groups = append(resp.Groups, kmsg.ListGroupsResponseGroup{
			Group: g.Group, ProtocolType: g.ProtocolType, GroupState: string(g.State), GroupType: groupTypeClassic,
		})
	}
	return resp
}

func matchesFilter(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
}
