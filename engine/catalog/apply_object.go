package catalog

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// predeclaredPrefix begins the names of exchanges that every host has and no client declares; the default exchange has
// no name. Who proposes a binding has seen that the very exchange exists.
const predeclaredPrefix = "amq."

func predeclared(exchange string) bool {
	return exchange == "" || strings.HasPrefix(exchange, predeclaredPrefix)
}

func (v *View) hasExchange(host, name string) bool {
	_, ok := v.Exchange(host, name)
	return ok || predeclared(name)
}

func exchangeDeclare(v *View, c *command.ExchangeDeclare) (*View, broker.Code) {
	x := ExchangeOf(&c.Exchange)
	switch {
	case !v.booted():
		return v, broker.CodeUnavailable
	case predeclared(x.Name) || len(x.Name) > ObjectNameBytesMax:
		return v, broker.CodeForbidden
	}
	if old, ok := v.Exchange(c.Host, x.Name); ok {
		if reflect.DeepEqual(old, x) {
			return v, broker.CodeNone
		}
		return v, broker.CodeInequivalent // who proposed it looks again, and judges whether that matters
	}
	if len(v.within(keyspace.TableExchange)) >= ExchangesMax {
		return v, broker.CodeTooMany
	}
	next := v.change()
	next.addObject(exchangeObject(c.Host, x))
	return next, broker.CodeNone
}

func exchangeDelete(v *View, c *command.ExchangeDelete) (*View, broker.Code) {
	_, o := v.object(string(keyspace.AppendExchangeKey(nil, c.Host, c.Name)))
	if o == nil {
		return v, broker.CodeNone
	}
	if c.IfUnused && slices.ContainsFunc(v.within(keyspace.TableBinding), func(b *Object) bool { return b.Host == c.Host && b.Binding.Source == c.Name }) {
		return v, broker.CodeInUse
	}
	next := v.change()
	next.drop(o)
	return next, broker.CodeNone
}

func queueDeclare(v *View, c *command.QueueDeclare) (*View, broker.Code) {
	q := &Queue{Host: c.Host, Shard: c.Shard, Spec: specOf(&c.Queue), Owner: Session{Node: c.OwnerNode, Run: c.OwnerRun, Number: c.OwnerSession}}
	switch {
	case !v.booted():
		return v, broker.CodeUnavailable
	case q.Spec.Name == "" || len(q.Spec.Name) > ObjectNameBytesMax:
		return v, broker.CodeInvalidArgument
	}
	if _, ok := v.Shard(c.Shard); !ok || c.Shard == CatalogShard {
		return v, broker.CodeInvalidRequest
	}
	if old, ok := v.Queue(c.Host, q.Spec.Name); ok {
		switch {
		case old.Owner != q.Owner:
			return v, broker.CodeQueueLocked
		case !reflect.DeepEqual(old.Spec, q.Spec):
			return v, broker.CodeInequivalent
		}
		return v, broker.CodeNone
	}
	if len(v.within(keyspace.TableQueueName)) >= QueuesMax {
		return v, broker.CodeTooMany
	}
	next := v.change()
	q.ID = broker.QueueID(next.version)
	next.addObject(queueObject(q))
	return next, broker.CodeNone
}

func queueDelete(v *View, c *command.QueueDelete) (*View, broker.Code) {
	q, ok := v.QueueByID(broker.QueueID(c.Queue))
	if !ok {
		return v, broker.CodeNone
	}
	_, o := v.object(string(keyspace.AppendQueueNameKey(nil, q.Host, q.Spec.Name)))
	next := v.change()
	next.drop(o)
	return next, broker.CodeNone
}

func bindingAdd(v *View, c *command.BindingAdd) (*View, broker.Code) {
	b := BindingOf(&c.Binding)
	o := bindingObject(c.Host, b)
	if _, there := v.object(o.key); there != nil {
		return v, broker.CodeNone
	}
	_, queue := v.Queue(c.Host, b.Destination)
	switch {
	case b.Source == "" || b.Exchange && b.Destination == "":
		return v, broker.CodeForbidden
	case !v.hasExchange(c.Host, b.Source), b.Exchange && !v.hasExchange(c.Host, b.Destination):
		return v, broker.CodeUnknownExchange
	case !b.Exchange && !queue:
		return v, broker.CodeUnknownQueue
	case len(b.Key) > ObjectNameBytesMax || !slices.IsSortedFunc(b.Arguments, compareArguments):
		return v, broker.CodeInvalidArgument
	case len(v.within(keyspace.TableBinding)) >= BindingsMax:
		return v, broker.CodeTooMany
	}
	next := v.change()
	next.addObject(o)
	return next, broker.CodeNone
}

func bindingRemove(v *View, c *command.BindingRemove) (*View, broker.Code) {
	_, o := v.object(bindingObject(c.Host, BindingOf(&c.Binding)).key)
	if o == nil {
		return v, broker.CodeNone
	}
	next := v.change()
	next.drop(o)
	return next, broker.CodeNone
}

func (v *View) addObject(o *Object) {
	i, old := v.object(o.key)
	v.objects = put(v.objects, i, old != nil, o)
}

// end is one end of a binding.
type end struct {
	host, name string
	exchange   bool
}

// drop removes an object and what goes with it: the bindings from and to it, and exchanges that are to go with their last
// binding, until none is left that has to go.
func (v *View) drop(o *Object) {
	gone := map[string]bool{o.key: true}
	ends := map[end]bool{} // exchanges and queues that go
	lost := map[string]*Object{}
	mark := func(o *Object) {
		gone[o.key] = true
		switch {
		case o.Exchange != nil:
			ends[end{o.Host, o.Exchange.Name, true}] = true
		case o.Queue != nil:
			ends[end{o.Host, o.Queue.Spec.Name, false}] = true
		default:
			if _, x := v.object(string(keyspace.AppendExchangeKey(nil, o.Host, o.Binding.Source))); x != nil && x.Exchange.AutoDelete {
				lost[x.key] = x
			}
		}
	}
	mark(o)
	for again := true; again; {
		again = false
		has := map[end]bool{} // sources of bindings that stay
		for _, b := range v.within(keyspace.TableBinding) {
			switch {
			case gone[b.key]:
			case ends[end{b.Host, b.Binding.Source, true}], ends[end{b.Host, b.Binding.Destination, b.Binding.Exchange}]:
				mark(b)
			default:
				has[end{b.Host, b.Binding.Source, true}] = true
			}
		}
		for _, x := range lost { //lint:sorted each is marked, whatever the order
			if !gone[x.key] && !has[end{x.Host, x.Exchange.Name, true}] {
				mark(x)
				again = true
			}
		}
	}
	v.objects = overlay(v.objects, nil, gone)
}

func compareArguments(a, b broker.Argument) int { return cmp.Compare(a.Name, b.Name) }

// ArgumentsOf reads arguments of a command; the result shares nothing with it.
func ArgumentsOf(as []command.ArgumentSpec) []broker.Argument {
	var out []broker.Argument
	for _, a := range as {
		out = append(out, broker.Argument{Name: strings.Clone(a.Name), Value: broker.ArgumentValue{Kind: broker.ArgumentKind(a.Kind), Int: a.Int,
			Float: math.Float64frombits(a.Float), Text: strings.Clone(a.Text)}})
	}
	return out
}

// ArgumentSpecs is the reverse of ArgumentsOf.
func ArgumentSpecs(as []broker.Argument) []command.ArgumentSpec {
	var out []command.ArgumentSpec
	for _, a := range as {
		out = append(out, command.ArgumentSpec{Name: a.Name, Kind: uint8(a.Value.Kind), Int: a.Value.Int, Float: math.Float64bits(a.Value.Float), Text: a.Value.Text})
	}
	return out
}

// ExchangeOf reads an exchange of a command.
func ExchangeOf(s *command.ExchangeSpec) *broker.Exchange {
	return &broker.Exchange{Name: strings.Clone(s.Name), Type: strings.Clone(s.Type), Durable: s.Durable, AutoDelete: s.AutoDelete, Internal: s.Internal,
		Arguments: ArgumentsOf(s.Arguments)}
}

// BindingOf reads a binding of a command.
func BindingOf(s *command.BindingSpec) *broker.Binding {
	return &broker.Binding{Source: strings.Clone(s.Source), Exchange: s.Exchange, Destination: strings.Clone(s.Destination), Key: strings.Clone(s.Key),
		Arguments: ArgumentsOf(s.Arguments)}
}

func specOf(s *command.QueueSpec) broker.QueueSpec {
	return broker.QueueSpec{Name: strings.Clone(s.Name), Durable: s.Durable, Exclusive: s.Exclusive, AutoDelete: s.AutoDelete,
		Arguments: ArgumentsOf(s.Arguments)}
}
