package engine

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/routing"
)

// routes are the exchanges, queues and bindings of this node's catalog, ready to route by. They are never older than the
// view that the engine shows.
type routes struct {
	mu    sync.RWMutex
	at    *catalog.View
	hosts map[string]*host
	walks sync.Pool
}

// host is one virtual host.
type host struct {
	topology *routing.Topology
	queues   map[string]*routedQueue
}

// routedQueue is a queue with what its declaration means.
type routedQueue struct {
	*catalog.Queue
	settings *queueSettings
	// there: its shard was seen to have it. If it says later that it does not, the queue has ended: an id is never given again.
	there atomic.Bool
}

func newRoutes() *routes {
	return &routes{at: catalog.EmptyView(), hosts: map[string]*host{broker.DefaultHost: newHost()}, walks: sync.Pool{New: func() any { return new(routing.Walk) }}}
}

func newHost() *host { return &host{topology: routing.New(), queues: map[string]*routedQueue{}} }

// follow makes the routes those of a newer view.
func (r *routes) follow(v *catalog.View) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v.Version() <= r.at.Version() {
		return
	}
	set, gone := catalog.DiffDeclared(r.at, v)
	// What is replaced goes first. Backwards: bindings before queues before exchanges, so that nothing is taken along.
	for i := len(gone) - 1; i >= 0; i-- {
		r.remove(gone[i])
	}
	anew := map[string]bool{}
	for i := len(set) - 1; i >= 0; i-- {
		if r.replaces(set[i]) {
			r.remove(set[i])
			anew[set[i].Host] = true
		}
	}
	for _, o := range set {
		r.add(o)
	}
	if len(anew) > 0 { // the bindings of what was replaced went with it
		for _, o := range v.Declared() {
			if o.Binding != nil && anew[o.Host] {
				r.add(o)
			}
		}
	}
	r.at = v
}

func (r *routes) host(name string) *host {
	h := r.hosts[name]
	if h == nil {
		h = newHost()
		r.hosts[name] = h
	}
	return h
}

// replaces says that an object of this name is there that is another one.
func (r *routes) replaces(o *catalog.Object) bool {
	h := r.host(o.Host)
	switch {
	case o.Exchange != nil:
		_, err := h.topology.Exchange(o.Exchange.Name)
		return err == nil
	case o.Queue != nil:
		return h.topology.HasQueue(o.Queue.Spec.Name)
	}
	return false
}

// add adds an object. The catalog judged it; an exchange is told not to go by itself, since the catalog decides that.
func (r *routes) add(o *catalog.Object) {
	h := r.host(o.Host)
	switch {
	case o.Exchange != nil:
		x := exchangeOf(o.Exchange)
		x.AutoDelete = false
		_ = h.topology.Declare(x) // refused only if a newer version of the program accepted it: then nothing is routed by it
	case o.Queue != nil:
		h.topology.AddQueue(o.Queue.Spec.Name)
		settings, err := settingsOf(o.Host, &o.Queue.Spec)
		if err != nil {
			settings = &queueSettings{} // a newer version of the program accepted it: its shard has the configuration
		}
		h.queues[o.Queue.Spec.Name] = &routedQueue{Queue: o.Queue, settings: settings}
	default:
		_ = h.topology.Bind(bindingOf(o.Binding))
	}
}

func (r *routes) remove(o *catalog.Object) {
	h := r.host(o.Host)
	switch {
	case o.Exchange != nil:
		_, _ = h.topology.Delete(o.Exchange.Name, false)
	case o.Queue != nil:
		h.topology.RemoveQueue(o.Queue.Spec.Name)
		delete(h.queues, o.Queue.Spec.Name)
	default:
		_, _ = h.topology.Unbind(bindingOf(o.Binding))
	}
}

// route finds the queues and topics that a message goes to. An error says that it may not be published there.
func (r *routes) route(hostName string, m *routing.Message, exchange string) ([]*routedQueue, []routing.TopicTarget, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	h := r.hosts[hostName]
	if h == nil {
		return nil, nil, broker.Errorf(broker.CodeUnknownHost, "publish", "host "+hostName, "no such virtual host")
	}
	if err := h.topology.CanPublish(exchange); err != nil {
		return nil, nil, routingRefusal(err, "publish", "exchange "+exchange)
	}
	w := r.walks.Get().(*routing.Walk)
	defer r.walks.Put(w)
	names := h.topology.Route(w, exchange, m)
	var out []*routedQueue
	if len(names) > 0 {
		out = make([]*routedQueue, len(names))
	}
	for i, n := range names {
		out[i] = h.queues[n]
	}
	return out, slices.Clone(w.Topics()), nil
}

var routingCodes = map[routing.Reason]broker.Code{
	routing.UnknownExchange: broker.CodeUnknownExchange, routing.UnknownQueue: broker.CodeUnknownQueue, routing.Forbidden: broker.CodeForbidden,
	routing.Inequivalent: broker.CodeInequivalent, routing.InUse: broker.CodeInUse, routing.InvalidArgument: broker.CodeInvalidArgument,
	routing.UnknownType: broker.CodeUnknownExchangeType, routing.TooMany: broker.CodeTooMany,
}

// routingRefusal is an error of package routing as the broker says it.
func routingRefusal(err error, op, resource string) error {
	var x *routing.Error
	if !errors.As(err, &x) {
		return broker.Errorf(broker.CodeInternal, op, resource, "%w", err)
	}
	return broker.Errorf(routingCodes[x.Reason], op, resource, "%s", x.Text)
}

var routingKinds = [...]routing.Kind{broker.ArgumentVoid: routing.Void, broker.ArgumentBool: routing.Bool, broker.ArgumentInt: routing.Int,
	broker.ArgumentFloat: routing.Float, broker.ArgumentText: routing.Text, broker.ArgumentOpaque: routing.Opaque}

func argumentsOf(as []broker.Argument) []routing.Argument {
	if len(as) == 0 {
		return nil
	}
	out := make([]routing.Argument, len(as))
	for i, a := range as {
		kind := routing.Opaque
		if int(a.Value.Kind) < len(routingKinds) {
			kind = routingKinds[a.Value.Kind]
		}
		out[i] = routing.Argument{Name: a.Name, Value: routing.Value{Kind: kind, Int: a.Value.Int, Float: a.Value.Float, Text: a.Value.Text}}
	}
	return out
}

func exchangeOf(x *broker.Exchange) routing.Exchange {
	return routing.Exchange{Name: x.Name, Type: routing.Type(x.Type), Durable: x.Durable, AutoDelete: x.AutoDelete, Internal: x.Internal, Arguments: argumentsOf(x.Arguments)}
}

func bindingOf(b *broker.Binding) routing.Binding {
	return routing.Binding{Source: b.Source, Destination: routing.Destination{Exchange: b.Exchange, Name: b.Destination}, Key: b.Key, Arguments: argumentsOf(b.Arguments)}
}
