package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
)

// Engine is the broker of one node.
type Engine struct {
	opt  Options
	log  *slog.Logger
	host *consensus.Host

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	life   sync.Mutex // guards closed: no duty begins after Close began to wait
	closed bool

	gate  *gate // of produced bytes
	reads *gate // of fetched bytes
	watch *watch

	identMu sync.Mutex
	ident   identity

	mu       sync.Mutex
	damaged  map[broker.ShardID]replicaStatus // not running, and why
	replicas map[broker.ShardID]*replica      // hosted here and open
	leads    map[broker.ShardID]*lead         // led here
	shifts   shifts

	view  atomic.Pointer[catalog.View]
	views *broadcast // after each new view
	clock *wallClock

	shifted *broadcast // after each change of leadership

	peers     *peers
	routes    *routes
	dispatch  *dispatch
	leases    leases
	commitIDs *commitIDs
	asks      asks
	ends      ends          // of transactions
	run       uint64        // random: of this life of the node
	sessions  atomic.Uint64 // of AMQP clients, ever
	spreadTo  atomic.Uint64 // a version of the catalog that every live node had

	producers  producerBlockOf
	accepted   atomic.Uint64 // connections of clients, of all front ends
	compacting chan struct{} // holds one thing while a log is compacted
	space      atomic.Int32  // journal.SpaceLevel
	fullShards atomic.Pointer[map[broker.ShardID]bool]
	fatal      chan error
}

var _ broker.Broker = (*Engine)(nil)

// New makes the engine; nothing runs before Run.
func New(o Options) (*Engine, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	id, mended, err := loadIdentity(o.FS, o.Dir)
	if err != nil {
		return nil, err
	}
	if mended != "" {
		o.Logger.Warn("a copy of this node's identity was made anew from the other one", "copy", mended)
	}
	if id.Node != 0 && id.Node != o.Node {
		return nil, fmt.Errorf("engine: the data in %s belongs to node %d, not to node %d", o.Dir, id.Node, o.Node)
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Engine{
		opt: o, log: o.Logger, ctx: ctx, cancel: cancel,
		gate: newGate(o.InflightBytes), reads: newGate(o.ReadingBytes), watch: newWatch(),
		replicas: map[broker.ShardID]*replica{}, leads: map[broker.ShardID]*lead{}, shifts: shifts{}, shifted: newBroadcast(), damaged: map[broker.ShardID]replicaStatus{},
		views: newBroadcast(), clock: newWallClock(), peers: newPeers(o.Node), routes: newRoutes(), dispatch: newDispatch(), leases: leases{shards: map[broker.ShardID]*leaseSlot{}}, commitIDs: newCommitIDs(), run: randomRun(), ident: id, fatal: make(chan error, 1), compacting: make(chan struct{}, 1),
	}
	e.asks.e = e
	e.view.Store(catalog.EmptyView())
	return e, nil
}

// ClusterID is the cluster's id, empty until it is known; also before Run, after a restart.
func (e *Engine) ClusterID() string {
	if id := e.view.Load().ClusterID(); id != "" {
		return id
	}
	e.identMu.Lock()
	defer e.identMu.Unlock()
	return e.ident.ClusterID
}

// Machine makes the machine of a replica: the factory for consensus.Options.
func (e *Engine) Machine(shard, id uint64) consensus.Machine { return newReplica(e, shard, id) }

// Run starts the node's replicas and duties. It returns when everything that is
// local runs; the cluster may need longer: see Ready.
func (e *Engine) Run(ctx context.Context, host *consensus.Host) error {
	e.host = host
	e.registerRPC()
	e.opt.Journal.SetLiveness(e)
	if err := e.startLocal(ctx); err != nil {
		return err
	}
	e.spawn(e.viewLoop)
	e.spawn(e.pingLoop)
	e.spawn(e.registerLoop)
	e.spawn(e.placementLoop)
	e.spawn(e.spaceLoop)
	return nil
}

// Fatal delivers the error after which this node must stop.
func (e *Engine) Fatal() <-chan error { return e.fatal }

func (e *Engine) fail(err error) {
	select {
	case e.fatal <- err:
	default:
	}
}

// Close ends all duties. The host must be closed next.
func (e *Engine) Close() error {
	e.cancel()
	e.mu.Lock()
	leads := make([]*lead, 0, len(e.leads))
	for _, l := range e.leads {
		leads = append(leads, l)
	}
	e.leads = map[broker.ShardID]*lead{}
	e.mu.Unlock()
	for _, l := range leads {
		l.stop()
	}
	e.watch.wakeAll()
	e.life.Lock()
	e.closed = true
	e.life.Unlock()
	e.wg.Wait()
	return nil
}

// spawn runs a duty until Close; false if it does not any more.
func (e *Engine) spawn(f func(context.Context)) bool {
	e.life.Lock()
	if e.closed {
		e.life.Unlock()
		return false
	}
	e.wg.Add(1)
	e.life.Unlock()
	go func() {
		defer e.wg.Done()
		f(e.ctx)
	}()
	return true
}

// replica finds the open replica of a shard on this node.
func (e *Engine) replica(s broker.ShardID) (*replica, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.replicas[s]
	return r, ok
}

// Ready says nil when clients can be served: the catalog is known and every shard has
// a leader as far as this node knows.
func (e *Engine) Ready() error {
	v := e.view.Load()
	if v.Version() == 0 {
		return fmt.Errorf("the catalog is not known yet")
	}
	if _, ok := v.Node(e.opt.Node); !ok {
		return fmt.Errorf("node %d is not registered yet", e.opt.Node)
	}
	for _, s := range v.Shards() {
		if _, _, ok := e.host.Leader(uint64(s.ID)); !ok {
			return fmt.Errorf("shard %d has no leader", s.ID)
		}
	}
	return nil
}
