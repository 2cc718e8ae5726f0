package kafka

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeCluster (key 60): the cluster's id, its nodes and its controller.
//
// Behaviour
//   - Endpoint type 1 (brokers) only; any other: MISMATCHED_ENDPOINT_TYPE. A node that is not alive counts as fenced.
//
// Versions
//   - 0 flexible from the start; 1 endpoint type (KIP-919); 2 fenced nodes on request (KIP-1073).
func describeClusterLayout() *layout { return parseLayout("b 1+:b 2+:b") }

const endpointBrokers int8 = 1

func describeCluster(r *request, q *kmsg.DescribeClusterRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeClusterResponse)
	b := r.server.broker
	if q.Version >= 1 && q.EndpointType != endpointBrokers {
		resp.ErrorCode = errMismatchedEndpointType
		return resp
	}
	resp.EndpointType = endpointBrokers
	resp.ClusterID, resp.ControllerID = b.ClusterID(), int32(b.Controller())
	if q.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	for _, n := range b.Nodes() {
		fenced := !n.Alive && n.ID != b.Self()
		if fenced && !q.IncludeFencedBrokers {
			continue
		}
		m := kmsg.NewDescribeClusterResponseBroker()
		m.NodeID, m.Host, m.Port, m.Rack, m.IsFenced = int32(n.ID), n.Kafka.Host, n.Kafka.Port, nullable(n.Rack), fenced
		resp.Brokers = append(resp.Brokers, m)
	}
	return resp
}
