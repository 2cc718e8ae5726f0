package catalog

import (
	"math"

	"github.com/tallymq/tallymq/engine/broker"
)

// The least bytes of an argument and of an object, so that a lie about their number cannot make us allocate.
const (
	argumentBytesMin = 4 + 1 + 8 + 8 + 4
	objectBytesMin   = 1 + 4
)

// What an encoded object is.
const (
	objectExchange = 1
	objectQueue    = 2
	objectBinding  = 3
	objectQuota    = 4
)

func appendArguments(b []byte, as []broker.Argument) []byte {
	b = appendU32(b, uint32(len(as)))
	for i := range as {
		v := &as[i].Value
		b = append(appendText(b, as[i].Name), byte(v.Kind))
		b = appendText(appendU64(appendU64(b, uint64(v.Int)), math.Float64bits(v.Float)), v.Text)
	}
	return b
}

func (c *cursor) arguments() []broker.Argument {
	n := c.count(argumentBytesMin)
	var as []broker.Argument
	for range n {
		as = append(as, broker.Argument{Name: c.text(), Value: broker.ArgumentValue{Kind: broker.ArgumentKind(c.u8()), Int: int64(c.u64()),
			Float: math.Float64frombits(c.u64()), Text: c.text()}})
	}
	return as
}

// appendObject encodes an object whole: kind | host | fields.
func appendObject(b []byte, o *Object) []byte {
	switch {
	case o.Exchange != nil:
		x := o.Exchange
		b = appendText(appendText(appendText(append(b, objectExchange), o.Host), x.Name), x.Type)
		return appendArguments(appendBool(appendBool(appendBool(b, x.Durable), x.AutoDelete), x.Internal), x.Arguments)
	case o.Queue != nil:
		q := o.Queue
		b = appendText(appendText(append(b, objectQueue), o.Host), q.Spec.Name)
		b = appendU64(appendU64(b, uint64(q.ID)), uint64(q.Shard))
		b = appendBool(appendBool(appendBool(b, q.Spec.Durable), q.Spec.Exclusive), q.Spec.AutoDelete)
		b = appendArguments(b, q.Spec.Arguments)
		return appendU64(appendU64(appendU32(b, uint32(q.Owner.Node)), q.Owner.Run), q.Owner.Number)
	case o.Quota != nil:
		q := o.Quota
		b = appendText(append(appendText(append(b, objectQuota), o.Host), byte(q.Entity.User.Kind)), q.Entity.User.Name)
		b = appendText(append(b, byte(q.Entity.ClientID.Kind)), q.Entity.ClientID.Name)
		return appendU64(appendU64(b, uint64(q.ProducerBytes)), uint64(q.ConsumerBytes))
	}
	x := o.Binding
	b = appendText(appendText(append(b, objectBinding), o.Host), x.Source)
	b = appendText(appendText(appendBool(b, x.Exchange), x.Destination), x.Key)
	return appendArguments(b, x.Arguments)
}

func (c *cursor) object() *Object {
	kind, host := c.u8(), c.text()
	switch kind {
	case objectExchange:
		return exchangeObject(host, &broker.Exchange{Name: c.text(), Type: c.text(), Durable: c.bool(), AutoDelete: c.bool(), Internal: c.bool(),
			Arguments: c.arguments()})
	case objectQueue:
		q := &Queue{Host: host}
		q.Spec.Name = c.text()
		q.ID, q.Shard = broker.QueueID(c.u64()), broker.ShardID(c.u64())
		q.Spec.Durable, q.Spec.Exclusive, q.Spec.AutoDelete = c.bool(), c.bool(), c.bool()
		q.Spec.Arguments = c.arguments()
		q.Owner = Session{Node: broker.NodeID(c.u32()), Run: c.u64(), Number: c.u64()}
		return queueObject(q)
	case objectBinding:
		return bindingObject(host, &broker.Binding{Source: c.text(), Exchange: c.bool(), Destination: c.text(), Key: c.text(), Arguments: c.arguments()})
	case objectQuota:
		name := func() broker.QuotaName { return broker.QuotaName{Kind: broker.QuotaNameKind(c.u8()), Name: c.text()} }
		q := &broker.Quota{Entity: broker.QuotaEntity{User: name(), ClientID: name()}, ProducerBytes: int64(c.u64()), ConsumerBytes: int64(c.u64())}
		c.failed = c.failed || host != "" || !isQuota(q)
		return quotaObject(q)
	}
	c.failed = true
	return &Object{}
}

// appendObjects encodes how the objects of two views differ, behind the rest of a difference. Nothing is written where they do
// not: such bytes are as they were before there were objects.
//
//	keys gone | objects
func appendObjects(b []byte, before, after *View) []byte {
	set, gone := diffObjects(before, after)
	if len(set)+len(gone) == 0 {
		return b
	}
	b = appendU32(b, uint32(len(gone)))
	for _, o := range gone {
		b = appendText(b, o.key)
	}
	b = appendU32(b, uint32(len(set)))
	for _, o := range set {
		b = appendObject(b, o)
	}
	return b
}

// objects reads what appendObjects wrote, and gives the objects that result.
func (c *cursor) objects(v *View) []*Object {
	if c.failed || len(c.b) == 0 {
		return v.objects
	}
	gone := make(map[string]bool)
	last := ""
	n := c.count(4)
	for range n {
		k := c.text()
		_, there := v.object(k)
		c.failed = c.failed || there == nil || k <= last
		gone[k], last = true, k
	}
	set := make([]*Object, c.count(objectBytesMin))
	for i := range set {
		set[i] = c.object()
		if c.failed {
			return nil
		}
		c.failed = gone[set[i].key] || i > 0 && compareObjects(set[i-1], set[i]) >= 0
	}
	c.failed = c.failed || n+len(set) == 0
	return overlay(v.objects, set, gone)
}

// overlay merges two sorted lists: what is set replaces its equal, what is gone is left out.
func overlay(old, set []*Object, gone map[string]bool) []*Object {
	out := make([]*Object, 0, len(old)+len(set))
	for _, o := range old {
		for len(set) > 0 && compareObjects(set[0], o) < 0 {
			out, set = append(out, set[0]), set[1:]
		}
		switch {
		case len(set) > 0 && set[0].key == o.key:
			out, set = append(out, set[0]), set[1:]
		case !gone[o.key]:
			out = append(out, o)
		}
	}
	return append(out, set...)
}
