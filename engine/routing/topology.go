package routing

import (
	"maps"
	"slices"

	"github.com/tallymq/tallymq/internal/invariant"
)

// Topology is the exchanges, queues and bindings of one virtual host.
type Topology struct {
	exchanges map[string]*source
	queues    map[string]bool
	// to are the bindings by where they lead to, so that a destination goes with its bindings.
	to       map[Destination]map[bindingID]*Binding
	bindings int
}

// source is an exchange with the bindings that begin at it.
type source struct {
	Exchange
	bindings map[bindingID]*Binding
	matcher  matcher // of the same bindings
}

// matcher finds those bindings of one exchange that a message follows. It is given each binding once.
type matcher interface {
	add(b *Binding)
	remove(b *Binding)
	// match tells the walk every destination, some perhaps twice.
	match(m *Message, w *Walk)
}

// newMatcher returns nil for a type that does not exist.
func newMatcher(x *Exchange) matcher {
	switch x.Type {
	case Direct:
		return directMatcher{}
	case Fanout:
		return &fanoutMatcher{}
	case Topic:
		return &topicMatcher{}
	case Headers:
		return &headersMatcher{at: map[*Binding]int{}}
	case ConsistentHash:
		return newConsistentMatcher(x)
	case ModulusHash:
		return &modulusMatcher{}
	case Kafka:
		return newKafkaMatcher(x)
	}
	return nil
}

// New makes a topology that has the predeclared exchanges and no queue.
func New() *Topology {
	t := &Topology{exchanges: map[string]*source{}, queues: map[string]bool{}, to: map[Destination]map[bindingID]*Binding{}}
	for _, x := range predeclared() {
		t.put(x)
	}
	return t
}

func (t *Topology) put(x Exchange) {
	x.Arguments = slices.Clone(x.Arguments)
	t.exchanges[x.Name] = &source{Exchange: x, bindings: map[bindingID]*Binding{}, matcher: newMatcher(&x)}
}

// Exchange finds an exchange: for passive declarations. What it points to is not to be changed.
func (t *Topology) Exchange(name string) (*Exchange, error) {
	x := t.exchanges[name]
	if x == nil {
		return nil, refuse(UnknownExchange, "no exchange '%s'", name)
	}
	return &x.Exchange, nil
}

// Declare adds an exchange, or agrees that an equivalent one is there.
func (t *Topology) Declare(x Exchange) error {
	if old := t.exchanges[x.Name]; old != nil && x.Name != "" {
		return old.equivalent(&x)
	}
	if err := x.validate(); err != nil {
		return err
	}
	if len(t.exchanges) >= exchangesMax {
		return refuse(TooMany, "%d exchanges", len(t.exchanges))
	}
	t.put(x)
	return nil
}

// Delete removes an exchange with all bindings from and to it, and returns the exchanges that went, sorted: itself, and
// those that were to go with their last binding.
func (t *Topology) Delete(name string, ifUnused bool) ([]string, error) {
	x := t.exchanges[name]
	switch {
	case isPredeclared(name):
		return nil, refuse(Forbidden, "operation not permitted on exchange '%s'", name)
	case x == nil:
		return nil, nil
	case ifUnused && len(x.bindings) > 0:
		return nil, refuse(InUse, "exchange '%s' in use", name)
	}
	return t.drop(Destination{Exchange: true, Name: name}), nil
}

func isPredeclared(name string) bool {
	return slices.ContainsFunc(predeclared(), func(x Exchange) bool { return x.Name == name })
}

// AddQueue makes a queue known.
func (t *Topology) AddQueue(name string) { t.queues[name] = true }

// HasQueue says whether a queue is known.
func (t *Topology) HasQueue(name string) bool { return t.queues[name] }

// RemoveQueue removes a queue with its bindings, and returns the exchanges that went with theirs, sorted.
func (t *Topology) RemoveQueue(name string) []string { return t.drop(Destination{Name: name}) }

// drop removes destinations until none is left that has to go: an exchange goes with its last binding if it is declared
// so, and takes the bindings that lead to it with it.
func (t *Topology) drop(first Destination) (gone []string) {
	for waiting := []Destination{first}; len(waiting) > 0; waiting = waiting[1:] {
		d := waiting[0]
		if d.Exchange {
			x := t.exchanges[d.Name]
			if x == nil {
				continue
			}
			for _, id := range slices.Sorted(maps.Keys(x.bindings)) {
				t.unlink(x.bindings[id])
			}
			delete(t.exchanges, d.Name)
			gone = append(gone, d.Name)
		} else {
			delete(t.queues, d.Name)
		}
		for _, id := range slices.Sorted(maps.Keys(t.to[d])) {
			b := t.to[d][id]
			t.unlink(b)
			if from := t.exchanges[b.Source]; from.AutoDelete && len(from.bindings) == 0 {
				waiting = append(waiting, Destination{Exchange: true, Name: b.Source})
			}
		}
	}
	slices.Sort(gone)
	return gone
}

// Bind adds a binding, if it is not there.
func (t *Topology) Bind(b Binding) error {
	from, err := t.ends(&b)
	if err != nil {
		return err
	}
	if err := b.validate(from.Type); err != nil {
		return err
	}
	sorted := b.sorted()
	id := sorted.id()
	if from.bindings[id] != nil {
		return nil
	}
	if t.bindings >= bindingsMax {
		return refuse(TooMany, "%d bindings", t.bindings)
	}
	from.bindings[id] = sorted
	from.matcher.add(sorted)
	if t.to[b.Destination] == nil {
		t.to[b.Destination] = map[bindingID]*Binding{}
	}
	t.to[b.Destination][id] = sorted
	t.bindings++
	return nil
}

// ends refuses a binding one of whose ends is not there.
func (t *Topology) ends(b *Binding) (*source, error) {
	if err := b.offDefault(); err != nil {
		return nil, err
	}
	from := t.exchanges[b.Source]
	switch {
	case from == nil:
		return nil, refuse(UnknownExchange, "no exchange '%s'", b.Source)
	case b.Destination.Exchange && t.exchanges[b.Destination.Name] == nil:
		return nil, refuse(UnknownExchange, "no exchange '%s'", b.Destination.Name)
	case !b.Destination.Exchange && !t.queues[b.Destination.Name]:
		return nil, refuse(UnknownQueue, "no queue '%s'", b.Destination.Name)
	}
	return from, nil
}

// Unbind removes a binding, if it and its ends are there, and returns the exchanges that went with it, sorted.
func (t *Topology) Unbind(b Binding) ([]string, error) {
	if err := b.offDefault(); err != nil {
		return nil, err
	}
	from := t.exchanges[b.Source]
	if from == nil {
		return nil, nil
	}
	there := from.bindings[b.sorted().id()]
	if there == nil {
		return nil, nil
	}
	t.unlink(there)
	if from.AutoDelete && len(from.bindings) == 0 {
		return t.drop(Destination{Exchange: true, Name: b.Source}), nil
	}
	return nil, nil
}

// unlink removes a binding that is there, and nothing else.
func (t *Topology) unlink(b *Binding) {
	from, id := t.exchanges[b.Source], b.id()
	invariant.Check(from != nil && from.bindings[id] == b, "BUG: binding %v is not that of its exchange", b)
	delete(from.bindings, id)
	from.matcher.remove(b)
	delete(t.to[b.Destination], id)
	if len(t.to[b.Destination]) == 0 {
		delete(t.to, b.Destination)
	}
	t.bindings--
}

// Exchanges lists all exchanges, by name. With Queues and Bindings they are all that a topology is.
func (t *Topology) Exchanges() (out []Exchange) {
	for _, name := range slices.Sorted(maps.Keys(t.exchanges)) {
		out = append(out, t.exchanges[name].Exchange)
	}
	return out
}

// Queues lists all queues, by name.
func (t *Topology) Queues() []string { return slices.Sorted(maps.Keys(t.queues)) }

// Bindings lists the bindings that begin at an exchange, in an order of their own.
func (t *Topology) Bindings(source string) (out []Binding) {
	x := t.exchanges[source]
	if x == nil {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(x.bindings)) {
		out = append(out, *x.bindings[id])
	}
	return out
}
