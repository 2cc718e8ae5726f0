package engine

import "github.com/tallymq/tallymq/engine/broker"

// identity is what a node must know of itself before it knows the catalog. A folder
// that has one is a restart: bootstrap and join no longer count.
type identity struct {
	// Sequence counts the saves: of two whole copies the higher one counts.
	Sequence  uint64        `json:"sequence"`
	Node      broker.NodeID `json:"node"`
	ClusterID string        `json:"cluster_id"`
	// Starting names the replicas that are being started on this disk for the first time;
	// Started those of which the journal has, or had, a durable record. A crash in between
	// leaves a replica that never promised anything.
	Starting map[broker.ShardID]uint64 `json:"starting,omitempty"`
	Started  map[broker.ShardID]uint64 `json:"started,omitempty"`
	// Lost names the replicas that this node had and whose disk is gone. They must be
	// replaced under new ids.
	Lost map[broker.ShardID]uint64 `json:"lost,omitempty"`
	// Condemned names the replicas whose state was found to be wrong. Their files look right, so
	// only this keeps one from leading again after a restart, before it is replaced.
	Condemned map[broker.ShardID]condemned `json:"condemned,omitempty"`
	// Members are the nodes and replicas as last known: whom to ask for a good copy of
	// what is damaged, before the catalog is known again.
	Members members `json:"members"`
}

// condemned is a replica that must never run again, and why.
type condemned struct {
	Replica uint64 `json:"replica"`
	Why     string `json:"why"`
}
