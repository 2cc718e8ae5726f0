package consensus

import (
	"fmt"
	"os"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
)

// startRaft opens dragonboat's node host with the settings that matter.
func (h *Host) startRaft() error {
	o := &h.o
	hostname, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("consensus: %w", err)
	}
	logdb := &capturingFactory{inner: o.test.logDB, captured: &h.logdb}
	if logdb.inner == nil && !o.test.useLogDB {
		logdb.inner = o.Journal.Factory()
	}
	c := config.NodeHostConfig{
		NodeHostDir:         o.Dir,
		RTTMillisecond:      uint64(o.RTT.Milliseconds()),
		RaftAddress:         o.RaftAddress,
		ListenAddress:       o.RaftListen,
		RaftEventListener:   h,
		SystemEventListener: systemListener{h},
		MaxSendQueueSize:    o.Limits.SendQueueBytes,
		MaxReceiveQueueSize: o.Limits.ReceiveQueueBytes,
	}
	c.Expert.FS = newRaftFS(o.FS, o.Dir, hostname)
	c.Expert.TransportFactory = o.Transport
	c.Expert.Engine = config.EngineConfig{ExecShards: o.Limits.Workers, CommitShards: o.Limits.Workers, ApplyShards: o.Limits.Workers, SnapshotShards: 4 * o.Limits.Workers, CloseShards: o.Limits.Workers}
	c.Expert.LogDB = config.GetTinyMemLogDBConfig()
	c.Expert.LogDB.Shards = 1
	if logdb.inner != nil {
		c.Expert.LogDBFactory = logdb
	}
	nh, err := dragonboat.NewNodeHost(c)
	if err != nil {
		return fmt.Errorf("consensus: start node host in %s: %w", o.Dir, err)
	}
	if nh == nil {
		return fmt.Errorf("consensus: start node host in %s: dragonboat panicked and did not say why", o.Dir)
	}
	h.nh = nh
	return nil
}

// capturingFactory keeps the log store that dragonboat opened: what it says of a replica decides how that is started.
type capturingFactory struct {
	inner    config.LogDBFactory
	captured *raftio.ILogDB
}

func (f *capturingFactory) Name() string { return f.inner.Name() }

func (f *capturingFactory) Create(c config.NodeHostConfig, cb config.LogDBCallback, dirs, wals []string) (raftio.ILogDB, error) {
	db, err := f.inner.Create(c, cb, dirs, wals)
	*f.captured = db
	return db, err
}
