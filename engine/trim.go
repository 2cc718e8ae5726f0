package engine

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/partition"
)

// DeleteRecords moves a log start up for an administrator. The leader decides after a read index, and the command
// carries its term: what it saw of the log is still so when it is applied.
func (e *Engine) DeleteRecords(ctx context.Context, c broker.Client, p broker.Partition, before broker.Offset) (broker.Offset, error) {
	const op = "delete records"
	for range changeTriesMax {
		r, h, err := e.leadingNow(ctx, p, broker.NoEpoch, op)
		if err != nil {
			return -1, err
		}
		if h.Compaction.Compact && !h.Config.DeleteOld {
			return -1, broker.Errorf(broker.CodePolicyViolation, op, p.String(), "cleanup.policy has no delete")
		}
		to := before
		if to == -1 {
			to = h.Next
		}
		switch {
		case to < 0 || to > h.Next:
			return -1, broker.Errorf(broker.CodeOffsetOutOfRange, op, p.String(), "offset %d; the log ends at %d", before, h.Next)
		case to <= h.Start:
			return h.Start, nil
		}
		trim, ok, err := partition.TrimAt(r.rows, &h, to)
		if err != nil {
			return -1, broker.Errorf(broker.CodeCorrupt, op, p.String(), "%w", err)
		}
		if !ok {
			continue // the log start moved meanwhile
		}
		term, leads := e.host.Leading(uint64(r.shard))
		if !leads {
			return -1, e.notLeader(r.shard, op, p.String())
		}
		out, err := e.propose(ctx, r.shard, term, trim.AppendTo(nil))
		if err != nil {
			return -1, asBroker(err, op, p.String())
		}
		var res command.PartitionResult
		if err := res.Decode(out); err != nil {
			return -1, broker.Errorf(broker.CodeInternal, op, p.String(), "%w", err)
		}
		if res.Code == broker.CodeUnavailable {
			continue // the log was compacted meanwhile
		}
		if res.Code != broker.CodeNone {
			return -1, broker.Refuse(res.Code, op, p.String())
		}
		e.log.Info("records deleted", "partition", p, "before", to, "principal", c.Principal)
		return res.LogStart, nil
	}
	return -1, broker.Errorf(broker.CodeUnavailable, op, p.String(), "the log changed %d times meanwhile", changeTriesMax)
}
