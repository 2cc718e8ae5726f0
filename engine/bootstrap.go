package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// startLocal starts what this node had before, or the first catalog replica of a new
// cluster. A node that joins has nothing to start yet.
func (e *Engine) startLocal(ctx context.Context) error {
	logs, err := e.logs()
	if err != nil {
		return err
	}
	e.remember(logs)
	had := map[broker.ShardID]uint64{}
	for l := range logs { //lint:sorted a maximum does not depend on the order
		had[l.shard] = max(had[l.shard], l.replica) // a lower one was replaced; followReplicas forgets it
	}
	if len(had) == 0 {
		// What was only being started never promised anything, and is begun again.
		if e.ident.ClusterID == "" && len(e.ident.Started) == 0 && len(e.opt.Join) == 0 {
			e.spawn(e.startFirst)
		}
		return nil
	}
	e.identMu.Lock()
	known := e.ident.Members
	e.identMu.Unlock()
	e.introduce(known)
	shards := make([]broker.ShardID, 0, len(had))
	for s := range had {
		shards = append(shards, s)
	}
	slices.Sort(shards)
	for _, s := range shards {
		if err := e.startReplica(ctx, consensus.ReplicaSpec{Shard: uint64(s), Replica: had[s], NonVoting: unlessTheLogTells}); err != nil {
			return err
		}
	}
	return nil
}

// initial lists the first nodes by id; a cluster of one if none were named.
func (e *Engine) initial() []InitialNode {
	ns := slices.Clone(e.opt.Initial)
	if len(ns) == 0 {
		ns = []InitialNode{{Node: e.opt.Node, RPCAddr: e.opt.RPCAddr, RaftAddr: e.opt.RaftAddr}}
	}
	slices.SortFunc(ns, func(a, b InitialNode) int { return cmp.Compare(a.Node, b.Node) })
	return ns
}

// firstReplicas is how many of the first nodes host the catalog.
func (e *Engine) firstReplicas() int {
	if len(e.initial()) >= catalog.ReplicasWanted {
		return catalog.ReplicasWanted
	}
	return 1
}

// startFirst starts this node's part of a new cluster's catalog, once every other first
// node has answered. One that knows a catalog tells whether this node was a member
// before and lost its disk (see recall): such a node must not come back under its old
// replica ids, since it has forgotten what it promised.
func (e *Engine) startFirst(ctx context.Context) {
	for _, n := range e.initial() {
		if n.Node == e.opt.Node {
			continue
		}
		for {
			c, cancel := context.WithTimeout(ctx, aliveFor)
			var s nodeStatus
			err := e.callAddr(c, n.RPCAddr, rpcStatus, nil, &s)
			cancel()
			if err == nil {
				// A peer that just restarted may not have read its catalog yet; its identity tells.
				if (s.Version > 0 || s.ClusterID != "") && !e.waitIdentity(ctx) {
					return
				}
				break
			}
			if ctx.Err() != nil {
				return
			}
			e.log.Info("waiting for the other first nodes", "node", n.Node, "addr", n.RPCAddr, "err", err)
			sleep(ctx, time.Second)
		}
	}
	members, own := map[uint64]string{}, uint64(0)
	for i, n := range e.initial()[:e.firstReplicas()] {
		members[uint64(i+1)] = n.RaftAddr
		if n.Node == e.opt.Node {
			own = uint64(i + 1)
		}
	}
	if own == 0 {
		return // the catalog lives on others
	}
	if _, lost := e.isLost(catalog.CatalogShard); lost {
		return
	}
	if err := e.startReplica(ctx, consensus.ReplicaSpec{Shard: uint64(catalog.CatalogShard), Replica: own, Initial: members}); err != nil {
		e.fail(err)
	}
}

// bootstrap makes the cluster, as the first leader of the catalog.
func (e *Engine) bootstrap(ctx context.Context, term uint64) {
	if e.view.Load().Version() > 0 {
		return
	}
	r, ok := e.replica(catalog.CatalogShard)
	if !ok || r.catalogView().Version() > 0 {
		return
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	cmd := command.Bootstrap{ClusterID: base64.RawURLEncoding.EncodeToString(id[:])}
	nodes := e.initial()
	for _, n := range nodes {
		cmd.Nodes = append(cmd.Nodes, command.NodeSpec{Node: n.Node, RPC: n.RPCAddr, Raft: n.RaftAddr})
	}
	replicas := e.firstReplicas()
	cmd.Shards = append(cmd.Shards, shardSpec(catalog.CatalogShard, nodes, 0, replicas))
	for i := range e.opt.DataShards {
		cmd.Shards = append(cmd.Shards, shardSpec(catalog.CatalogShard+1+broker.ShardID(i), nodes, i, replicas))
	}
	for i := range catalog.Slots {
		cmd.Slots = append(cmd.Slots, cmd.Shards[1+i%e.opt.DataShards].Shard)
	}
	out, err := e.propose(ctx, catalog.CatalogShard, term, cmd.AppendTo(nil))
	if err != nil {
		e.log.Warn("bootstrap not applied, will be tried again", "err", err)
		return
	}
	var res command.CatalogResult
	if err := res.Decode(out); err != nil || res.Code != broker.CodeNone {
		e.log.Error("bootstrap refused", "code", res.Code, "err", err)
		return
	}
	e.log.Info("cluster made", "id", cmd.ClusterID, "nodes", len(nodes), "data_shards", e.opt.DataShards, "replicas", replicas)
}

// shardSpec places a shard on count nodes, beginning with another node for each.
func shardSpec(id broker.ShardID, nodes []InitialNode, first, count int) command.ShardSpec {
	s := command.ShardSpec{Shard: id}
	for k := range count {
		s.Replicas = append(s.Replicas, command.ReplicaSpec{Replica: uint64(k + 1), Node: nodes[(first+k)%len(nodes)].Node})
	}
	return s
}

// spec is this node as it registers itself.
func (e *Engine) spec() command.NodeSpec {
	return command.NodeSpec{Node: e.opt.Node, RPC: e.opt.RPCAddr, Raft: e.opt.RaftAddr, Kafka: catalog.FormatEndpoint(e.opt.Kafka),
		AMQP: catalog.FormatEndpoint(e.opt.AMQP), Rack: e.opt.Rack, Version: e.opt.Version}
}

// registerLoop registers this node, or what changed of it, until the catalog has it.
func (e *Engine) registerLoop(ctx context.Context) {
	for ctx.Err() == nil {
		next := e.views.next()
		v := e.view.Load()
		n, ok := v.Node(e.opt.Node)
		// The identity must be on disk first: see recall.
		due := !ok || n.Spec() != e.spec()
		if due && v.Version() > 0 && e.identified() {
			if err := e.register(ctx); err != nil {
				e.log.Info("not registered yet", "err", err)
			} else {
				e.log.Info("registered", "node", e.opt.Node)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		case <-time.After(time.Second):
		}
	}
}

func (e *Engine) register(ctx context.Context) error {
	c, cancel := context.WithTimeout(ctx, barrierTimeout)
	defer cancel()
	cmd := command.NodeRegister{Spec: e.spec()}
	_, err := e.changeCatalog(c, "register node", fmt.Sprintf("node %d", e.opt.Node), cmd.AppendTo(nil))
	if err == nil {
		return nil
	}
	for _, a := range e.seeds() {
		if err2 := e.callAddr(c, a, rpcRegister, e.spec(), nil); err2 == nil {
			return nil
		}
	}
	return err
}

// serveRegister registers a node that has no catalog yet.
func (e *Engine) serveRegister(ctx context.Context, _ broker.NodeID, s command.NodeSpec) (versionAnswer, error) {
	if n, ok := e.view.Load().Node(s.Node); ok && (n.RPC != s.RPC || n.Raft != s.Raft) {
		return versionAnswer{}, fmt.Errorf("node id %d is taken by a node at %s", s.Node, n.RPC)
	}
	cmd := command.NodeRegister{Spec: s}
	v, err := e.changeCatalog(ctx, "register node", fmt.Sprintf("node %d", s.Node), cmd.AppendTo(nil))
	if err == nil {
		e.log.Info("node joined", "node", s.Node, "rpc", s.RPC, "raft", s.Raft)
	}
	return versionAnswer{Version: v, ClusterID: e.view.Load().ClusterID()}, err
}
