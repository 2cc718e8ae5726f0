package catalog

import (
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// CheckQuota refuses an entity that no client can be, a name that is too long, and what is not a rate.
func CheckQuota(a *broker.QuotaAlteration) error {
	refuse := func(format string, args ...any) error {
		return broker.Errorf(broker.CodeInvalidRequest, "alter quota", a.Entity.String(), format, args...)
	}
	if a.Entity.User.Kind == broker.QuotaAny && a.Entity.ClientID.Kind == broker.QuotaAny {
		return refuse("neither a user nor a client id")
	}
	for _, n := range []broker.QuotaName{a.Entity.User, a.Entity.ClientID} {
		switch {
		case n.Kind > broker.QuotaNamed:
			return refuse("a name of kind %d", n.Kind)
		case n.Kind == broker.QuotaNamed != (n.Name != ""):
			return refuse("an empty name")
		case len(n.Name) > QuotaNameBytesMax:
			return refuse("a name of %d bytes; %d are allowed", len(n.Name), QuotaNameBytesMax)
		}
	}
	named := map[broker.QuotaKey]bool{}
	for _, c := range a.Changes {
		switch {
		case c.Key != broker.QuotaProducerBytes && c.Key != broker.QuotaConsumerBytes:
			return refuse("key %d is not known", c.Key)
		case named[c.Key]:
			return refuse("key %d is named twice", c.Key)
		case c.Rate < 0:
			return refuse("a rate of %d bytes a second", c.Rate)
		}
		named[c.Key] = true
	}
	return nil
}

// isQuota says that a machine can have written it.
func isQuota(q *broker.Quota) bool {
	a := &broker.QuotaAlteration{Entity: q.Entity, Changes: []broker.QuotaChange{
		{Key: broker.QuotaProducerBytes, Rate: q.ProducerBytes}, {Key: broker.QuotaConsumerBytes, Rate: q.ConsumerBytes}}}
	return CheckQuota(a) == nil && q.ProducerBytes+q.ConsumerBytes != 0
}

func quotaAlter(v *View, c *command.QuotaAlter) (*View, broker.Code) {
	a := broker.QuotaAlteration{Entity: broker.QuotaEntity{
		User:     broker.QuotaName{Kind: broker.QuotaNameKind(c.UserKind), Name: strings.Clone(c.User)},
		ClientID: broker.QuotaName{Kind: broker.QuotaNameKind(c.ClientKind), Name: strings.Clone(c.ClientID)},
	}}
	for _, ch := range c.Changes {
		a.Changes = append(a.Changes, broker.QuotaChange{Key: broker.QuotaKey(ch.Key), Rate: ch.Rate})
	}
	switch {
	case !v.booted():
		return v, broker.CodeUnavailable
	case CheckQuota(&a) != nil:
		return v, broker.CodeInvalidRequest
	}
	_, old := v.object(quotaKey(a.Entity))
	q := broker.Quota{Entity: a.Entity}
	if old != nil {
		q = *old.Quota
	}
	for _, ch := range a.Changes {
		if ch.Key == broker.QuotaProducerBytes {
			q.ProducerBytes = ch.Rate
		} else {
			q.ConsumerBytes = ch.Rate
		}
	}
	empty := q.ProducerBytes == 0 && q.ConsumerBytes == 0
	switch {
	case old == nil && empty, old != nil && q == *old.Quota:
		return v, broker.CodeNone
	case old == nil && len(v.within(keyspace.TableQuota)) >= QuotasMax:
		return v, broker.CodePolicyViolation
	}
	next := v.change()
	if empty {
		i, _ := v.object(old.key)
		next.objects = cut(v.objects, i)
	} else {
		next.addObject(quotaObject(&q))
	}
	next.tabulate(v)
	return next, broker.CodeNone
}
