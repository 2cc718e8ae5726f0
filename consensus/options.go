package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4/config"

	"github.com/tallymq/tallymq/consensus/journal"
)

// Options say who the node is and hand in every effect. Zero values of what is optional become the documented defaults.
type Options struct {
	// Node is this node's id, > 0 and for ever.
	Node NodeID
	// ClusterID is refused if it differs from a peer's. Empty: not known yet (a node that joins); every peer is accepted.
	ClusterID string
	// Dir is where dragonboat keeps its flag file and received snapshots, and we the marks of pulls in progress.
	Dir string
	FS  vfs.FS
	// RaftAddress is frozen in the data directory at the first start; another one is refused with ErrAddressChanged.
	RaftAddress string
	// RaftListen is the address to listen on when it differs from RaftAddress (containers); empty: RaftAddress.
	RaftListen string
	// Transport carries Raft messages; nil: dragonboat's TCP.
	Transport config.TransportFactory
	// RPCListener accepts the node RPC. Owned by the host after Start: Close closes it.
	RPCListener net.Listener
	// Dial opens a connection to a peer's RPC address.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Journal is the node's journal, opened by the caller and closed by it after Host.Close.
	Journal *journal.Journal
	// Machines makes the machine of a replica; called once per StartReplica.
	Machines func(shard, replica uint64) Machine
	// Leadership hears every change, in order, from one goroutine, with no lock held. May be nil.
	Leadership func(LeaderChange)
	Logger     *slog.Logger
	// RTT is the tick of Raft's logical clock: default 20 ms.
	RTT time.Duration
	// ElectionRTT and HeartbeatRTT are in ticks: default 50 (one second, above the worst sync stall) and 5.
	ElectionRTT, HeartbeatRTT uint64
	// Limits bound memory and work; zero fields become the defaults of limits.go.
	Limits Limits

	test testOptions
}

// testOptions replace parts in this package's own tests.
type testOptions struct {
	payloads payloads            // nil: Journal
	logDB    config.LogDBFactory // nil: Journal.Factory()
	useLogDB bool                // true with logDB nil: dragonboat's default store
	// group stands between proposers and dragonboat, to lose, double and delay what passes.
	group func(raftGroup) raftGroup
}

// Validate says what is missing or contradicts itself.
func (o *Options) Validate() error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	need(o.Node > 0, "node id %d is not positive", o.Node)
	need(o.Dir != "", "dir is empty")
	need(o.FS != nil, "file system is missing")
	need(o.RaftAddress != "", "raft address is empty")
	need(o.RPCListener != nil, "rpc listener is missing")
	need(o.Dial != nil, "dial is missing")
	need(o.Journal != nil || o.test.payloads != nil, "journal is missing")
	need(o.Machines != nil, "machines is missing")
	if o.ElectionRTT != 0 || o.HeartbeatRTT != 0 {
		need(o.HeartbeatRTT > 0 && o.ElectionRTT > 2*o.HeartbeatRTT, "election %d ticks must be more than twice the heartbeat's %d", o.ElectionRTT, o.HeartbeatRTT)
	}
	errs = append(errs, o.Limits.withDefaults().validate())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("consensus: options: %w", err)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.RTT == 0 {
		o.RTT = 20 * time.Millisecond
	}
	if o.ElectionRTT == 0 {
		o.ElectionRTT, o.HeartbeatRTT = 50, 5
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Leadership == nil {
		o.Leadership = func(LeaderChange) {}
	}
	o.Limits = o.Limits.withDefaults()
	return o
}
