package broker

import "context"

// Operations tell administrators where things lie and who leads, and move leaderships.
type Operations interface {
	// LogDir tells what this node's disk holds.
	LogDir(ctx context.Context) (LogDir, error)
	// ElectLeaders hands the leadership of partitions to their preferred leaders (PartitionInfo.Replicas[0]) and
	// answers for each, in the order given, when this node sees that they lead. Partitions of one shard move together.
	// CodeElectionNotNeeded where the preferred one leads, CodePreferredLeaderGone where its node is not alive or has no room.
	ElectLeaders(ctx context.Context, c Client, ps []Partition) []error
	// CatalogQuorum tells how the replicas of the catalog stand, as this node knows it.
	CatalogQuorum(ctx context.Context) (Quorum, error)
}

// LogDir is one node's data folder.
type LogDir struct {
	Path       string
	Logs       []LogSize // by topic and index
	TotalBytes int64     // of the volume; −1: unknown
	FreeBytes  int64     // on the volume, for this process; −1: unknown
}

// LogSize is what a node keeps of one partition.
type LogSize struct {
	Topic string
	Index int32
	Bytes int64 // of the batches of the log
}

// Quorum is how the replicas of one shard stand.
type Quorum struct {
	Leader   NodeID // NoNode: none is known
	Epoch    LeaderEpoch
	Applied  int64           // the leader's last applied entry; −1: unknown
	Replicas []QuorumReplica // by replica id
}

// QuorumReplica is one of them.
type QuorumReplica struct {
	Node    NodeID
	Voting  bool
	Applied int64 // its last applied entry, as its node told last; −1: unknown
}
