package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
)

// setView makes a newer catalog this node's. Called by the catalog replica after each
// apply, and by the view loop of a node that hosts none.
func (e *Engine) setView(v *catalog.View) {
	for {
		old := e.view.Load()
		if v.Version() <= old.Version() {
			return
		}
		e.routes.follow(v) // first: who sees the view routes by it
		if e.view.CompareAndSwap(old, v) {
			break
		}
	}
	e.views.fire()
}

// waitView waits until this node's catalog has a version.
func (e *Engine) waitView(ctx context.Context, version uint64) error {
	for {
		next := e.views.next()
		if e.view.Load().Version() >= version {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return broker.Errorf(broker.CodeOutcomeUnknown, "wait for catalog", "", "version %d: %w", version, ctx.Err())
		case <-e.ctx.Done():
			return broker.Refuse(broker.CodeShuttingDown, "wait for catalog", "")
		}
	}
}

// freshView brings this node's catalog to what was acknowledged before the call.
func (e *Engine) freshView(ctx context.Context) error {
	c, cancel := context.WithTimeout(ctx, barrierTimeout)
	defer cancel()
	if r, ok := e.replica(catalog.CatalogShard); ok {
		if err := e.barrier(c, catalog.CatalogShard, "read catalog", ""); err != nil {
			return err
		}
		e.setView(r.catalogView())
		return nil
	}
	var last error
	for _, n := range e.catalogHosts() {
		var a versionAnswer
		if last = e.call(c, n, rpcFresh, nil, &a); last == nil {
			return e.waitView(c, a.Version)
		}
	}
	for _, a := range e.seeds() { // the hosts may all have moved since this node knew them
		var x versionAnswer
		if err := e.callAddr(c, a, rpcFresh, nil, &x); err == nil {
			return e.waitView(c, x.Version)
		}
	}
	return broker.Errorf(broker.CodeUnavailable, "read catalog", "", "no catalog replica answered: %w", last)
}

// catalogHosts lists the nodes that host a catalog replica, as far as known; the
// leader first.
func (e *Engine) catalogHosts() []broker.NodeID {
	v := e.view.Load()
	s, ok := v.Shard(catalog.CatalogShard)
	if !ok {
		return nil
	}
	var ns []broker.NodeID
	leader := e.leaderOf(catalog.CatalogShard)
	for _, r := range s.Replicas {
		switch {
		case r.Node == leader:
			ns = append([]broker.NodeID{leader}, ns...)
		case r.State == catalog.ReplicaVoting:
			ns = append(ns, r.Node)
		}
	}
	return ns
}

// spread waits until every live node's cache has a version, or for spreadWait: a node
// that is slower than that is not called alive for long.
func (e *Engine) spread(ctx context.Context, version uint64) {
	c, cancel := context.WithTimeout(ctx, spreadWait)
	defer cancel()
	var wg sync.WaitGroup
	for _, n := range e.view.Load().Nodes() {
		if n.ID == e.opt.Node || !e.peers.alive(n.ID) {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := e.call(c, n.ID, rpcWait, viewQuestion{version}, nil); err != nil {
				e.log.Warn("node did not confirm a catalog change in time", "node", n.ID, "version", version, "err", err)
			}
		}()
	}
	wg.Wait()
}

// viewLoop follows the catalog: it fetches it when no replica is hosted here, tells
// consensus who lives where, and starts and stops the local replicas.
func (e *Engine) viewLoop(ctx context.Context) {
	e.spawn(e.fetchViews)
	for {
		next := e.views.next()
		actFollowsLate.Pause(actWaitLong)
		if v := e.view.Load(); v.Version() > 0 {
			e.follow(ctx, v)
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		case <-time.After(leadEvery): // a replica that could not be started is tried again
		}
	}
}

// fetchViews asks others for the catalog as long as this node hosts no replica of it, or
// has one that stays behind what they have: a replica that was removed while it was cut
// off is not told so by Raft, and would keep this node at its last catalog for ever.
func (e *Engine) fetchViews(ctx context.Context) {
	for first := 0; ctx.Err() == nil; {
		if _, ok := e.replica(catalog.CatalogShard); ok {
			at := e.view.Load().Version()
			sleep(ctx, time.Second)
			if !e.behind(at) {
				continue
			}
		}
		q := viewQuestion{e.view.Load().Version()}
		got := false
		sources := e.viewSources()
		for i := range sources {
			ask := sources[(first+i)%len(sources)]
			c, cancel := context.WithTimeout(ctx, 2*viewPoll)
			var b []byte
			err := ask(c, rpcView, q, &b)
			cancel()
			if err != nil {
				e.log.Debug("catalog not fetched", "err", err)
				continue
			}
			got = true
			if len(b) > 0 {
				v, err := catalog.DecodeView(b)
				if err != nil {
					e.log.Error("catalog from a peer not readable", "err", err)
					continue
				}
				e.setView(v)
			} else {
				first++ // it may be cut off itself: ask another one next
			}
			break
		}
		if !got {
			sleep(ctx, 200*time.Millisecond)
		}
	}
}

// behind says whether this node's catalog is still the one of before although a live
// peer has a newer one.
func (e *Engine) behind(version uint64) bool {
	v := e.view.Load()
	if v.Version() != version {
		return false
	}
	if version == 0 {
		return true // a replica that was removed before its first entry knows no peer that could have a newer one
	}
	for _, n := range v.Nodes() {
		if s, ok := e.peers.status(n.ID); ok && n.ID != e.opt.Node && s.Version > version {
			return true
		}
	}
	return false
}

// viewSources are the ways to ask for the catalog: its hosts, or, before any is known,
// the addresses this node was told.
func (e *Engine) viewSources() []func(context.Context, string, any, any) error {
	var out []func(context.Context, string, any, any) error
	for _, n := range e.catalogHosts() {
		if n != e.opt.Node {
			out = append(out, func(ctx context.Context, m string, in, res any) error { return e.call(ctx, n, m, in, res) })
		}
	}
	for _, a := range e.seeds() {
		out = append(out, func(ctx context.Context, m string, in, res any) error { return e.callAddr(ctx, a, m, in, res) })
	}
	return out
}

// seeds are the rpc addresses that the configuration names, and those of the members last known.
func (e *Engine) seeds() []string {
	as := append([]string(nil), e.opt.Join...)
	for _, n := range e.opt.Initial {
		if n.Node != e.opt.Node {
			as = append(as, n.RPCAddr)
		}
	}
	e.identMu.Lock()
	defer e.identMu.Unlock()
	for _, p := range e.ident.Members.Peers {
		if broker.NodeID(p.Node) != e.opt.Node {
			as = append(as, p.RPCAddr)
		}
	}
	return as
}

// follow makes this node what the catalog says it is.
func (e *Engine) follow(ctx context.Context, v *catalog.View) {
	if !e.identified() {
		// Whether this node's disk was lost is told by what the catalog says now. A view older
		// than this node's registration would let it come back under its old ids.
		e.introduce(membersOf(v))
		if err := e.freshView(ctx); err != nil {
			e.log.Info("the catalog cannot be read yet", "err", err)
			return
		}
		v = e.view.Load()
	}
	if err := e.recall(v); err != nil {
		e.fail(fmt.Errorf("engine: save identity: %w", err))
		return
	}
	m := membersOf(v)
	e.introduce(m)
	if err := e.rememberMembers(m); err != nil {
		e.fail(err)
		return
	}
	e.followReplicas(ctx, v)
	e.mu.Lock()
	for _, l := range e.leads {
		l.poke()
	}
	e.mu.Unlock()
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
