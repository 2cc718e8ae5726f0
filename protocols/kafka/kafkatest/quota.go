package kafkatest

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
)

// Quotas are those that were altered.
func (b *Broker) Quotas() *broker.QuotaTable {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.quotas
}

// ListQuotas are the same.
func (b *Broker) ListQuotas(context.Context) ([]broker.Quota, error) {
	return b.Quotas().List, b.refuse("list quotas", "")
}

// AlterQuota adds an entity, or changes one; the order is that of coming.
func (b *Broker) AlterQuota(_ context.Context, _ broker.Client, a broker.QuotaAlteration) error {
	if err := b.refuse("alter quota", a.Entity.String()); err != nil || a.ValidateOnly {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	next := &broker.QuotaTable{}
	q := broker.Quota{Entity: a.Entity}
	for _, old := range b.quotas.List {
		if old.Entity == a.Entity {
			q = old
		} else {
			next.List = append(next.List, old)
		}
	}
	for _, c := range a.Changes {
		if c.Key == broker.QuotaProducerBytes {
			q.ProducerBytes = c.Rate
		} else {
			q.ConsumerBytes = c.Rate
		}
	}
	if q.ProducerBytes+q.ConsumerBytes > 0 {
		next.List = append(next.List, q)
	}
	b.quotas = next
	return nil
}
