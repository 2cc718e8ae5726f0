package consensus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/raftio"
	"golang.org/x/sync/semaphore"
)

// entryOverheadBytes bounds what packing adds to a lone command, dragonboat's header byte included.
const entryOverheadBytes = 256

// Host is this node's part in all its shards.
type Host struct {
	o          Options
	nh         *dragonboat.NodeHost
	logdb      raftio.ILogDB
	payloads   payloads
	nodeWindow *semaphore.Weighted
	rpc        *rpc
	events     *events
	ctx        context.Context
	cancel     context.CancelFunc
	running    sync.WaitGroup // background goroutines and forwarders

	mu         sync.RWMutex
	closed     bool
	starting   map[uint64]bool
	replicas   map[uint64]*replica
	contexts   map[*replica]replicaContext
	forwarders map[uint64]*forwarder
	retiring   map[uint64]*forwarder // replaced by a replica; the last of each shard
	peers      map[NodeID]Peer
	placement  map[uint64][]Placement
	initial    map[uint64]map[ReplicaID]string // members a shard was started with here
	hints      map[uint64]*hint
}

// replicaContext ends what runs for a replica.
type replicaContext struct {
	ctx     context.Context
	cancel  context.CancelFunc
	running *sync.WaitGroup
}

// Start opens the node host and begins to serve the node RPC. No replica runs before StartReplica.
func Start(o Options) (*Host, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	o.Dir = dir
	useRaftLog(o.Logger)
	if err := o.FS.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("consensus: create %s: %w", o.Dir, err)
	}
	if err := errors.Join(prepareFlagFile(o.FS, o.Dir, o.RaftAddress, o.Logger), prepareIDFile(o.FS, o.Dir, o.Logger)); err != nil {
		return nil, err
	}
	h := &Host{
		o: o, nodeWindow: semaphore.NewWeighted(o.Limits.NodeWindowBytes),
		starting: map[uint64]bool{}, replicas: map[uint64]*replica{}, contexts: map[*replica]replicaContext{}, forwarders: map[uint64]*forwarder{}, retiring: map[uint64]*forwarder{},
		peers: map[NodeID]Peer{}, placement: map[uint64][]Placement{}, initial: map[uint64]map[ReplicaID]string{}, hints: map[uint64]*hint{},
	}
	h.payloads = o.test.payloads
	if h.payloads == nil {
		h.payloads = o.Journal
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.events = newEvents(o.Leadership)
	h.rpc = newRPC(&h.o, h.serveForwarded)
	h.rpc.handle(methodPayloads, h.servePayloads)
	h.rpc.handle(methodEntry, h.serveEntry)
	h.rpc.handle(methodLeader, h.serveLeader)
	h.rpc.handle(methodWhole, h.serveWhole)
	h.rpc.handle(methodMembership, h.serveMembership)
	h.rpc.handle(methodChange, h.serveChange)
	if err := h.startRaft(); err != nil {
		h.cancel()
		h.events.close()
		return nil, err
	}
	h.rpc.serve(o.RPCListener)
	return h, nil
}

// Close stops everything; pending proposals get ErrNotApplied or ErrUnknownOutcome.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	replicas := h.replicasLocked()
	h.mu.Unlock()
	h.cancel()
	errs := []error{h.rpc.close()}
	for _, r := range replicas {
		r.proposer.shut(ErrClosed)
	}
	h.running.Wait()
	h.nh.Close()
	for _, r := range replicas {
		<-r.unloaded
	}
	h.events.close()
	return errors.Join(errs...)
}

// background runs fn until its context ends: the replica's, or the host's for shard 0. False: closing, fn does not run.
func (h *Host) background(shard, replica uint64, fn func(context.Context)) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return false
	}
	ctx, group := h.ctx, &sync.WaitGroup{}
	if shard != 0 {
		r := h.replicas[shard]
		if r == nil || r.replica != replica {
			return false
		}
		c := h.contexts[r]
		ctx, group = c.ctx, c.running
	}
	h.running.Add(1)
	group.Add(1)
	go func() {
		defer h.running.Done()
		defer group.Done()
		fn(ctx)
	}()
	return true
}

func (h *Host) replica(shard uint64) *replica {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.replicas[shard]
}

func (h *Host) replicasLocked() []*replica {
	var list []*replica
	for _, shard := range sortedKeys(h.replicas) {
		list = append(list, h.replicas[shard])
	}
	return list
}

// Replicas lists the local replicas by shard.
func (h *Host) Replicas() []ReplicaStatus {
	h.mu.RLock()
	list := h.replicasLocked()
	h.mu.RUnlock()
	roles := map[uint64]Role{}
	for _, s := range h.nh.GetNodeHostInfo(dragonboat.NodeHostInfoOption{SkipLogInfo: true}).ShardInfoList {
		switch {
		case s.Pending:
		case s.IsNonVoting:
			roles[s.ShardID] = RoleNonVoting
		default:
			roles[s.ShardID] = RoleVoter
		}
	}
	out := make([]ReplicaStatus, len(list))
	for i, r := range list {
		out[i] = r.status()
		if out[i].Role == RoleUnknown {
			out[i].Role = roles[r.shard]
		}
	}
	return out
}

// Leading says whether this node leads the shard and applied its own leader-start of that term.
func (h *Host) Leading(shard uint64) (term uint64, ok bool) {
	r := h.replica(shard)
	if r == nil {
		return 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leadingLocked()
}

// Clock reads the shard's replicated time in milliseconds: on the leader as it passes, elsewhere as last applied.
func (h *Host) Clock(shard uint64) uint64 {
	r := h.replica(shard)
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clockLocked()
}

// Handle registers the function that answers a method of the node RPC. Names beginning with a tilde are ours.
func (h *Host) Handle(method string, fn func(ctx context.Context, from NodeID, body []byte) ([]byte, error)) {
	h.rpc.handle(method, fn)
}

// Call asks a node. ErrUnreachable does not say whether the node heard; *RemoteError is its refusal.
func (h *Host) Call(ctx context.Context, node NodeID, method string, body []byte) ([]byte, error) {
	addr, err := h.rpcAddr(node)
	if err != nil {
		return nil, err
	}
	return h.rpc.call(ctx, addr, method, body)
}

// CallAddr asks whoever listens at addr: for a node that joins and knows nothing else yet.
func (h *Host) CallAddr(ctx context.Context, addr, method string, body []byte) ([]byte, error) {
	return h.rpc.call(ctx, addr, method, body)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func isNotExist(err error) bool { return errors.Is(err, os.ErrNotExist) }
