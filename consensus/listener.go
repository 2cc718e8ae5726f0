package consensus

import (
	"github.com/lni/dragonboat/v4/raftio"
)

// LeaderUpdated is dragonboat's word on who leads; called from one goroutine of the node host, in order.
func (h *Host) LeaderUpdated(info raftio.LeaderInfo) {
	if r := h.replica(info.ShardID); r != nil && r.replica == info.ReplicaID {
		r.leaderUpdated(info)
	}
}

// systemListener hears what else happens in dragonboat. Its methods must not block.
type systemListener struct{ h *Host }

func (systemListener) NodeHostShuttingDown()                       {}
func (systemListener) NodeUnloaded(raftio.NodeInfo)                {}
func (systemListener) NodeReady(raftio.NodeInfo)                   {}
func (systemListener) MembershipChanged(raftio.NodeInfo)           {}
func (systemListener) ConnectionEstablished(raftio.ConnectionInfo) {}
func (systemListener) ConnectionFailed(raftio.ConnectionInfo)      {}
func (systemListener) SendSnapshotStarted(raftio.SnapshotInfo)     {}
func (systemListener) SendSnapshotCompleted(raftio.SnapshotInfo)   {}
func (systemListener) SendSnapshotAborted(raftio.SnapshotInfo)     {}
func (systemListener) SnapshotReceived(raftio.SnapshotInfo)        {}
func (systemListener) SnapshotRecovered(raftio.SnapshotInfo)       {}
func (systemListener) SnapshotCreated(raftio.SnapshotInfo)         {}
func (systemListener) SnapshotCompacted(raftio.SnapshotInfo)       {}
func (systemListener) LogCompacted(raftio.EntryInfo)               {}
func (systemListener) LogDBCompacted(raftio.EntryInfo)             {}

// NodeDeleted says that the local replica was removed from its shard.
func (s systemListener) NodeDeleted(info raftio.NodeInfo) {
	if r := s.h.replica(info.ShardID); r != nil && r.replica == info.ReplicaID {
		r.mu.Lock()
		atReplicaRemoved.Hit()
		r.removed = true
		r.mu.Unlock()
	}
}
