package engine

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// Quotas are those of this node's catalog.
func (e *Engine) Quotas() *broker.QuotaTable { return e.view.Load().Quotas() }

// ListQuotas are those of a fresh catalog.
func (e *Engine) ListQuotas(ctx context.Context) ([]broker.Quota, error) {
	if err := e.freshView(ctx); err != nil {
		return nil, err
	}
	return e.view.Load().Quotas().List, nil
}

// AlterQuota changes an entity's quota and waits until every live node goes by it.
func (e *Engine) AlterQuota(ctx context.Context, c broker.Client, a broker.QuotaAlteration) error {
	if err := catalog.CheckQuota(&a); err != nil || a.ValidateOnly || len(a.Changes) == 0 {
		return err
	}
	cmd := command.QuotaAlter{UserKind: uint8(a.Entity.User.Kind), User: a.Entity.User.Name, ClientKind: uint8(a.Entity.ClientID.Kind), ClientID: a.Entity.ClientID.Name}
	for _, ch := range a.Changes {
		cmd.Changes = append(cmd.Changes, command.QuotaChange{Key: uint8(ch.Key), Rate: ch.Rate})
	}
	version, err := e.changeCatalog(ctx, "alter quota", a.Entity.String(), cmd.AppendTo(nil))
	if err != nil {
		return err
	}
	if err := e.waitView(ctx, version); err != nil {
		return err
	}
	e.log.Info("quota altered", "entity", a.Entity, "changes", a.Changes, "principal", c.Principal)
	e.spread(ctx, version)
	return nil
}
