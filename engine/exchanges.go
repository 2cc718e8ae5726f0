package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/routing"
)

// change brings a declaration about: judge looks at a view and says which command is to be proposed (nil: all is as it
// should be) or refuses; what it does not find in the view of now it may only refuse by one that is fresh. It returns when
// every live node routes by the outcome.
func (s *session) change(ctx context.Context, op, resource string, judge func(v *catalog.View) (command.Message, error)) error {
	e := s.e
	if err := s.usable(op); err != nil {
		return err
	}
	fresh := false
	for range changeTriesMax {
		v := e.view.Load()
		cmd, err := judge(v)
		if err != nil && !fresh {
			if ferr := e.freshView(ctx); ferr != nil {
				return ferr
			}
			fresh = true
			continue
		}
		if err != nil {
			return err
		}
		if cmd == nil {
			e.spreadOnce(ctx, v.Version())
			return nil
		}
		version, err := e.changeCatalog(ctx, op, resource, cmd.AppendTo(nil))
		switch code := broker.CodeOf(err); {
		case code == broker.CodeNone:
			if err := e.waitView(ctx, version); err != nil {
				return err
			}
			e.spreadOnce(ctx, version)
			return nil
		case code == broker.CodeUnknownQueue, code == broker.CodeUnknownExchange, code == broker.CodeInequivalent, code == broker.CodeQueueLocked, code == broker.CodeInUse:
			// Another change came first: judge by what is there now, in words.
			if ferr := e.freshView(ctx); ferr != nil {
				return ferr
			}
			fresh = true
		default:
			return err
		}
	}
	return broker.Errorf(broker.CodeUnavailable, op, resource, "other changes came first, %d times", changeTriesMax)
}

// spreadOnce waits until every live node's cache has a version, unless it is known to.
func (e *Engine) spreadOnce(ctx context.Context, version uint64) {
	if e.spreadTo.Load() >= version {
		return
	}
	e.spread(ctx, version)
	for {
		old := e.spreadTo.Load()
		if old >= version || e.spreadTo.CompareAndSwap(old, version) {
			return
		}
	}
}

// scratch is a topology with only the named exchange of a view in it, to judge a declaration by.
func scratch(v *catalog.View, host string, exchanges ...string) (*routing.Topology, error) {
	t := routing.New()
	for _, name := range exchanges {
		x, ok := v.Exchange(host, name)
		if !ok {
			continue
		}
		if err := t.Declare(exchangeOf(x)); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// DeclareExchange makes an exchange, or agrees that an equivalent one is there.
func (s *session) DeclareExchange(ctx context.Context, x broker.Exchange) error {
	op, res := "declare exchange", "exchange "+x.Name
	return s.change(ctx, op, res, func(v *catalog.View) (command.Message, error) {
		t, err := scratch(v, s.host, x.Name)
		if err == nil {
			_, missing := t.Exchange(x.Name)
			if err = t.Declare(exchangeOf(&x)); err == nil && missing == nil {
				return nil, nil
			}
		}
		if err != nil {
			return nil, routingRefusal(err, op, res)
		}
		return &command.ExchangeDeclare{Host: s.host, Exchange: command.ExchangeSpec{Name: x.Name, Type: x.Type, Durable: x.Durable, AutoDelete: x.AutoDelete,
			Internal: x.Internal, Arguments: catalog.ArgumentSpecs(x.Arguments)}}, nil
	})
}

// FindExchange is the passive declaration.
func (s *session) FindExchange(ctx context.Context, name string) (broker.Exchange, error) {
	var found broker.Exchange
	err := s.change(ctx, "find exchange", "exchange "+name, func(v *catalog.View) (command.Message, error) {
		if x, ok := v.Exchange(s.host, name); ok {
			found = *x
			return nil, nil
		}
		x, err := routing.New().Exchange(name)
		if err != nil {
			return nil, routingRefusal(err, "find exchange", fmt.Sprintf("exchange %s in host %s", name, s.host))
		}
		found = broker.Exchange{Name: x.Name, Type: string(x.Type), Durable: x.Durable}
		return nil, nil
	})
	return found, err
}

// DeleteExchange deletes an exchange with all its bindings.
func (s *session) DeleteExchange(ctx context.Context, name string, ifUnused bool) error {
	op, res := "delete exchange", "exchange "+name
	return s.change(ctx, op, res, func(v *catalog.View) (command.Message, error) {
		if _, err := routing.New().Delete(name, false); err != nil {
			return nil, routingRefusal(err, op, res)
		}
		if ifUnused && slices.ContainsFunc(v.Declared(), func(o *catalog.Object) bool { return o.Binding != nil && o.Host == s.host && o.Binding.Source == name }) {
			return nil, broker.Errorf(broker.CodeInUse, op, res, "exchange '%s' in vhost '%s' in use", name, s.host)
		}
		return &command.ExchangeDelete{Host: s.host, Name: name, IfUnused: ifUnused}, nil
	})
}

// Bind adds a binding, if it is not there.
func (s *session) Bind(ctx context.Context, b broker.Binding) error {
	op, res := "bind", "exchange "+b.Source
	return s.change(ctx, op, res, func(v *catalog.View) (command.Message, error) {
		if err := s.judgeBinding(v, &b, op, res); err != nil {
			return nil, err
		}
		return &command.BindingAdd{Host: s.host, Binding: bindingSpec(&b)}, nil
	})
}

// judgeBinding refuses a binding as package routing does.
func (s *session) judgeBinding(v *catalog.View, b *broker.Binding, op, res string) error {
	exchanges := []string{b.Source}
	if b.Exchange {
		exchanges = append(exchanges, b.Destination)
	}
	t, err := scratch(v, s.host, exchanges...)
	if err != nil {
		return routingRefusal(err, op, res)
	}
	if q, ok := v.Queue(s.host, b.Destination); ok && !b.Exchange {
		if err := s.owns(q, op); err != nil {
			return err
		}
		t.AddQueue(b.Destination)
	}
	if err := t.Bind(bindingOf(b)); err != nil {
		return routingRefusal(err, op, res)
	}
	return nil
}

// Unbind removes a binding, if it is there.
func (s *session) Unbind(ctx context.Context, b broker.Binding) error {
	op, res := "unbind", "exchange "+b.Source
	return s.change(ctx, op, res, func(v *catalog.View) (command.Message, error) {
		if _, err := routing.New().Unbind(bindingOf(&b)); err != nil {
			return nil, routingRefusal(err, op, res)
		}
		if q, ok := v.Queue(s.host, b.Destination); ok && !b.Exchange {
			if err := s.owns(q, op); err != nil {
				return nil, err
			}
		}
		return &command.BindingRemove{Host: s.host, Binding: bindingSpec(&b)}, nil
	})
}

func bindingSpec(b *broker.Binding) command.BindingSpec {
	as := slices.Clone(b.Arguments)
	slices.SortStableFunc(as, func(x, y broker.Argument) int { return cmp.Compare(x.Name, y.Name) })
	return command.BindingSpec{Source: b.Source, Exchange: b.Exchange, Destination: b.Destination, Key: b.Key, Arguments: catalog.ArgumentSpecs(as)}
}
