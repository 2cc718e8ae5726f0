package engine

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// proposeAsync proposes a command; done is called exactly once. Term 0: under any leader.
func (e *Engine) proposeAsync(ctx context.Context, s broker.ShardID, term uint64, head, payload []byte, done func([]byte, error)) {
	e.host.Propose(&consensus.Proposal{Ctx: ctx, Shard: uint64(s), Term: term, Head: head, Payload: payload, Done: done})
}

// propose proposes a command and waits for its result.
func (e *Engine) propose(ctx context.Context, s broker.ShardID, term uint64, cmd []byte) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		c, cancel := context.WithTimeout(ctx, adminTimeout)
		defer cancel()
		ctx = c
	}
	return e.proposeWith(ctx, s, term, cmd, nil)
}

// proposeWith is propose for a command in two parts.
func (e *Engine) proposeWith(ctx context.Context, s broker.ShardID, term uint64, head, payload []byte) ([]byte, error) {
	type outcome struct {
		result []byte
		err    error
	}
	ch := make(chan outcome, 1)
	e.proposeAsync(ctx, s, term, head, payload, func(r []byte, err error) { ch <- outcome{r, err} })
	o := <-ch
	return o.result, o.err
}

// changeCatalog proposes a catalog command and gives the version that has the change.
func (e *Engine) changeCatalog(ctx context.Context, op, resource string, cmd []byte) (version uint64, err error) {
	out, err := e.propose(ctx, catalog.CatalogShard, 0, cmd)
	if err != nil {
		return 0, asBroker(err, op, resource)
	}
	var r command.CatalogResult
	if err := r.Decode(out); err != nil {
		return 0, broker.Errorf(broker.CodeInternal, op, resource, "%w", err)
	}
	if r.Code != broker.CodeNone {
		return 0, broker.Refuse(r.Code, op, resource)
	}
	return r.Version, nil
}

// asBroker translates what consensus says about a proposal. An outcome that is unknown
// is never called anything else.
func asBroker(err error, op, resource string) error {
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*broker.Error)):
		return err
	case errors.Is(err, consensus.ErrUnknownOutcome):
		return broker.Errorf(broker.CodeOutcomeUnknown, op, resource, "%w", err)
	case errors.Is(err, consensus.ErrStaleTerm):
		return broker.Errorf(broker.CodeNotLeader, op, resource, "%w", err)
	case errors.Is(err, consensus.ErrTooLarge):
		return broker.Errorf(broker.CodeBatchTooLarge, op, resource, "%w", err)
	case errors.Is(err, consensus.ErrNotApplied):
		return broker.Errorf(broker.CodeUnavailable, op, resource, "%w", err)
	}
	return broker.Errorf(broker.CodeOutcomeUnknown, op, resource, "%w", err)
}

// asUnavailable is asBroker for calls that are harmless to repeat whatever happened.
func asUnavailable(err error, op, resource string) error {
	if e := asBroker(err, op, resource); broker.CodeOf(e) != broker.CodeOutcomeUnknown {
		return e
	}
	return broker.Errorf(broker.CodeUnavailable, op, resource, "%w", err)
}

// barrier makes everything acknowledged so far visible in the local replica.
func (e *Engine) barrier(ctx context.Context, s broker.ShardID, op, resource string) error {
	c, cancel := context.WithTimeout(ctx, barrierTimeout)
	defer cancel()
	actBarrierLate.Pause(actWaitShort)
	if err := e.host.ReadBarrier(c, uint64(s)); err != nil {
		return broker.Errorf(broker.CodeUnavailable, op, resource, "read index: %w", err)
	}
	return nil
}

// firstOf gives the first error that is not nil.
func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	sort.Strings(ks)
	return ks
}

func shardName(s broker.ShardID) string { return fmt.Sprintf("shard %d", s) }
