package catalog

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
)

// Node is one registered member of the cluster.
type Node struct {
	ID      broker.NodeID
	RPC     string // host:port of the node RPC
	Raft    string // host:port of the Raft transport; frozen while the node has replicas
	Kafka   broker.Endpoint
	AMQP    broker.Endpoint
	Rack    string
	Version string // of the program, for upgrades that wait for all nodes
	// Removed nodes are kept so that their id is never given to another.
	Removed bool
}

// String prints one line.
func (n *Node) String() string {
	s := fmt.Sprintf("node %d rpc=%s raft=%s kafka=%s:%d amqp=%s:%d rack=%q version=%q",
		n.ID, n.RPC, n.Raft, n.Kafka.Host, n.Kafka.Port, n.AMQP.Host, n.AMQP.Port, n.Rack, n.Version)
	if n.Removed {
		s += " removed"
	}
	return s
}
