package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
)

// The methods that nodes call on each other. Bodies are JSON, but for the catalog itself.
const (
	rpcStatus   = "engine.status"   // -> nodeStatus
	rpcView     = "engine.view"     // viewQuestion -> catalog.View, once it is newer
	rpcFresh    = "engine.fresh"    // -> version of the catalog after a read index
	rpcWait     = "engine.wait"     // viewQuestion -> when the node's cache has that version
	rpcRegister = "engine.register" // nodeSpec -> version: a node joins or renews itself
	rpcChange   = "engine.change"   // memberChange -> at a host of the shard
	rpcNoted    = "engine.noted"    // shard -> the digest at the last check; the node judges itself by it too
)

// nodeStatus is what a node tells about itself.
type nodeStatus struct {
	Node    broker.NodeID `json:"node"`
	Version uint64        `json:"version"` // of its catalog cache
	// ClusterID is known, after a restart, before the catalog is.
	ClusterID string          `json:"cluster_id,omitempty"`
	Replicas  []replicaStatus `json:"replicas"`
	Space     int32           `json:"space"`
	Wall      int64           `json:"wall"` // ms since 1970
}

// replicaStatus is one hosted replica.
type replicaStatus struct {
	Shard   broker.ShardID `json:"shard"`
	Replica uint64         `json:"replica"`
	Applied uint64         `json:"applied"`
	Durable uint64         `json:"durable"`
	Role    string         `json:"role"`
	Leading bool           `json:"leading"`
	Term    uint64         `json:"term"`
	Whole   bool           `json:"whole"`
	Damaged string         `json:"damaged,omitempty"`
}

// viewQuestion names the version that the asker has, or waits for.
type viewQuestion struct {
	Version uint64 `json:"version"`
}

// versionAnswer names a version of the catalog.
type versionAnswer struct {
	Version   uint64 `json:"version"`
	ClusterID string `json:"cluster_id"`
}

// call asks a node; nil in or out: nothing is sent or expected.
func (e *Engine) call(ctx context.Context, n broker.NodeID, method string, in, out any) error {
	body, err := encode(in)
	if err != nil {
		return err
	}
	answer, err := e.host.Call(ctx, int32(n), method, body)
	return decode(answer, err, out)
}

// callAddr asks whoever listens there, before the catalog is known.
func (e *Engine) callAddr(ctx context.Context, addr, method string, in, out any) error {
	body, err := encode(in)
	if err != nil {
		return err
	}
	answer, err := e.host.CallAddr(ctx, addr, method, body)
	return decode(answer, err, out)
}

func encode(in any) ([]byte, error) {
	if in == nil {
		return nil, nil
	}
	return json.Marshal(in)
}

func decode(answer []byte, err error, out any) error {
	if err != nil || out == nil {
		return err
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = answer
		return nil
	}
	return json.Unmarshal(answer, out)
}

// handle registers a method whose body and answer are JSON.
func handle[In, Out any](e *Engine, method string, fn func(ctx context.Context, from broker.NodeID, in In) (Out, error)) {
	e.host.Handle(method, func(ctx context.Context, from int32, body []byte) ([]byte, error) {
		var in In
		if len(body) > 0 {
			if err := json.Unmarshal(body, &in); err != nil {
				return nil, fmt.Errorf("%s: body: %w", method, err)
			}
		}
		out, err := fn(ctx, broker.NodeID(from), in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	})
}

func (e *Engine) registerRPC() {
	handle(e, rpcStatus, func(_ context.Context, _ broker.NodeID, _ struct{}) (nodeStatus, error) { return e.status(), nil })
	handle(e, rpcFresh, e.serveFresh)
	handle(e, rpcWait, e.serveWait)
	handle(e, rpcRegister, e.serveRegister)
	handle(e, rpcChange, e.serveChange)
	handle(e, rpcNoted, e.serveNoted)
	e.host.Handle(rpcView, func(ctx context.Context, _ int32, body []byte) ([]byte, error) {
		var q viewQuestion
		if err := json.Unmarshal(body, &q); err != nil {
			return nil, err
		}
		return e.serveView(ctx, q)
	})
}

// status is this node's own.
func (e *Engine) status() nodeStatus {
	s := nodeStatus{Node: e.opt.Node, Version: e.view.Load().Version(), ClusterID: e.ClusterID(), Space: e.space.Load(), Wall: e.clock.now()}
	for _, r := range e.host.Replicas() {
		x := replicaStatus{Shard: broker.ShardID(r.Shard), Replica: r.Replica, Applied: r.Applied, Durable: r.DurableApplied,
			Role: r.Role.String(), Leading: r.Leading, Term: r.Term, Whole: r.Whole}
		if r.Damaged != nil {
			x.Damaged = r.Damaged.Error()
		}
		s.Replicas = append(s.Replicas, x)
	}
	e.mu.Lock()
	for _, shard := range sortedShards(e.damaged) {
		s.Replicas = append(s.Replicas, e.damaged[shard])
	}
	e.mu.Unlock()
	return s
}

// serveView answers with the catalog once it is newer than the asker's, or, after a
// while, with nothing.
func (e *Engine) serveView(ctx context.Context, q viewQuestion) ([]byte, error) {
	t := time.NewTimer(viewPoll)
	defer t.Stop()
	for {
		next := e.views.next()
		if v := e.view.Load(); v.Version() > q.Version {
			return v.AppendTo(nil), nil
		}
		select {
		case <-next:
		case <-t.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-e.ctx.Done():
			return nil, e.ctx.Err()
		}
	}
}

// serveFresh answers the catalog's version after a read index; only a host can.
func (e *Engine) serveFresh(ctx context.Context, _ broker.NodeID, _ struct{}) (versionAnswer, error) {
	r, ok := e.replica(catalog.CatalogShard)
	if !ok {
		return versionAnswer{}, fmt.Errorf("no catalog replica on this node")
	}
	if err := e.barrier(ctx, catalog.CatalogShard, "read catalog", ""); err != nil {
		return versionAnswer{}, err
	}
	v := r.catalogView()
	e.setView(v) // the asker fetches it next, perhaps here
	return versionAnswer{Version: v.Version(), ClusterID: v.ClusterID()}, nil
}

// serveWait answers when this node's cache has the version.
func (e *Engine) serveWait(ctx context.Context, _ broker.NodeID, q viewQuestion) (struct{}, error) {
	return struct{}{}, e.waitView(ctx, q.Version)
}
