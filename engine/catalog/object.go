package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Object is what a client of AMQP declares in a virtual host, exactly one of an exchange, a queue, a binding; or it is a quota, of no
// host. An Object in a View is never changed; the predeclared exchanges are none.
type Object struct {
	Host     string
	Exchange *broker.Exchange
	Queue    *Queue
	Binding  *broker.Binding
	Quota    *broker.Quota

	key string // of its row; Views have objects in this order: exchanges, queues, bindings, quotas
}

// Queue is a queue and where it lives.
type Queue struct {
	ID    broker.QueueID // the catalog's version that it came with
	Host  string
	Shard broker.ShardID
	Spec  broker.QueueSpec
	Owner Session // of an exclusive queue
}

// Session is one connection of one run of a node. The zero value is none.
type Session struct {
	Node   broker.NodeID
	Run    uint64 // random, chosen when the node started
	Number uint64 // of the connection
}

// String is node/run/number.
func (s Session) String() string { return fmt.Sprintf("%d/%x/%d", s.Node, s.Run, s.Number) }

func exchangeObject(host string, x *broker.Exchange) *Object {
	return &Object{Host: host, Exchange: x, key: string(keyspace.AppendExchangeKey(nil, host, x.Name))}
}

func queueObject(q *Queue) *Object {
	return &Object{Host: q.Host, Queue: q, key: string(keyspace.AppendQueueNameKey(nil, q.Host, q.Spec.Name))}
}

func bindingObject(host string, b *broker.Binding) *Object {
	return &Object{Host: host, Binding: b, key: string(keyspace.AppendBindingKey(nil, keyspace.BindingKey{Host: host, Source: b.Source,
		Exchange: b.Exchange, Destination: b.Destination, Key: b.Key, Arguments: string(appendArguments(nil, b.Arguments))}))}
}

func quotaObject(q *broker.Quota) *Object { return &Object{Quota: q, key: quotaKey(q.Entity)} }

func quotaKey(e broker.QuotaEntity) string {
	return string(keyspace.AppendQuotaKey(nil, keyspace.QuotaKey{UserKind: byte(e.User.Kind), User: e.User.Name, ClientKind: byte(e.ClientID.Kind), ClientID: e.ClientID.Name}))
}

func compareObjects(a, b *Object) int { return strings.Compare(a.key, b.key) }

// Declared lists what clients of AMQP declared: exchanges, then queues, then bindings, each by host and name. The slice must not be
// changed.
func (v *View) Declared() []*Object {
	lo, _ := keyspace.TableRange(keyspace.TableQuota)
	i, _ := v.object(string(lo))
	return v.objects[:i]
}

// DiffDeclared gives what is newly or differently declared in the second view, and what only the first has.
func DiffDeclared(before, after *View) (set, gone []*Object) {
	return merge(before.Declared(), after.Declared(), compareObjects)
}

func diffObjects(before, after *View) (set, gone []*Object) {
	return merge(before.objects, after.objects, compareObjects)
}

// Quotas are the quotas by entity. A view that was changed in something else has the same table.
func (v *View) Quotas() *broker.QuotaTable { return v.quotas }

// tabulate makes the table of quotas from the objects, which may differ in them from those of the view before.
func (v *View) tabulate(before *View) {
	now := v.within(keyspace.TableQuota)
	if slices.Equal(before.within(keyspace.TableQuota), now) {
		return
	}
	v.quotas = &broker.QuotaTable{List: make([]broker.Quota, len(now))}
	for i, o := range now {
		v.quotas.List[i] = *o.Quota
	}
}

// object finds an object by key: where it is, or would be.
func (v *View) object(key string) (int, *Object) {
	i, ok := slices.BinarySearchFunc(v.objects, key, func(o *Object, k string) int { return strings.Compare(o.key, k) })
	if !ok {
		return i, nil
	}
	return i, v.objects[i]
}

// Exchange finds an exchange that was declared.
func (v *View) Exchange(host, name string) (*broker.Exchange, bool) {
	_, o := v.object(string(keyspace.AppendExchangeKey(nil, host, name)))
	if o == nil {
		return nil, false
	}
	return o.Exchange, true
}

// Queue finds a queue by name.
func (v *View) Queue(host, name string) (*Queue, bool) {
	_, o := v.object(string(keyspace.AppendQueueNameKey(nil, host, name)))
	if o == nil {
		return nil, false
	}
	return o.Queue, true
}

// QueueByID finds a queue by id. It looks at all of them.
func (v *View) QueueByID(id broker.QueueID) (*Queue, bool) {
	for _, o := range v.within(keyspace.TableQueueName) {
		if o.Queue.ID == id {
			return o.Queue, true
		}
	}
	return nil, false
}

// QueuesOf lists the queues that a shard should have, by host and name.
func (v *View) QueuesOf(shard broker.ShardID) (out []*Queue) {
	for _, o := range v.within(keyspace.TableQueueName) {
		if o.Queue.Shard == shard {
			out = append(out, o.Queue)
		}
	}
	return out
}

// within are the objects whose rows are of one table.
func (v *View) within(t keyspace.Table) []*Object {
	lo, hi := keyspace.TableRange(t)
	i, _ := v.object(string(lo))
	j, _ := v.object(string(hi))
	return v.objects[i:j]
}

// String is one line.
func (o *Object) String() string {
	switch {
	case o.Exchange != nil:
		x := o.Exchange
		return fmt.Sprintf("host %s exchange %q %s%s%s", o.Host, x.Name, x.Type, flags("durable", x.Durable, "auto-delete", x.AutoDelete, "internal", x.Internal),
			argumentsText(x.Arguments))
	case o.Queue != nil:
		q := o.Queue
		s := fmt.Sprintf("host %s queue %q id=%d shard=%d%s%s", o.Host, q.Spec.Name, q.ID, q.Shard,
			flags("durable", q.Spec.Durable, "exclusive", q.Spec.Exclusive, "auto-delete", q.Spec.AutoDelete), argumentsText(q.Spec.Arguments))
		if q.Owner != (Session{}) {
			s += " owner=" + q.Owner.String()
		}
		return s
	case o.Quota != nil:
		return fmt.Sprintf("quota %v producer=%d consumer=%d", o.Quota.Entity, o.Quota.ProducerBytes, o.Quota.ConsumerBytes)
	}
	b := o.Binding
	kind := "queue"
	if b.Exchange {
		kind = "exchange"
	}
	return fmt.Sprintf("host %s binding %q to %s %q key=%q%s", o.Host, b.Source, kind, b.Destination, b.Key, argumentsText(b.Arguments))
}

func flags(pairs ...any) (s string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1].(bool) {
			s += " " + pairs[i].(string)
		}
	}
	return s
}

func argumentsText(as []broker.Argument) string {
	var s strings.Builder
	for _, a := range as {
		fmt.Fprintf(&s, " %s=%v", a.Name, a.Value)
	}
	return s.String()
}
