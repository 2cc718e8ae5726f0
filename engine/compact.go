package engine

import (
	"context"
	"errors"
	"math/bits"
	"time"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/compaction"
	"github.com/tallymq/tallymq/engine/partition"
	"github.com/tallymq/tallymq/internal/point"
)

// compactLogs compacts the shard's logs as long as this node leads. Package compaction
// decides what survives; here it is read, proposed, and kept from taking the disk from
// producers.
func (l *lead) compactLogs() {
	pulse := time.NewTicker(l.e.opt.CompactionCheck)
	defer pulse.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-pulse.C:
		}
		heads := l.r.headsNow()
		for i := range heads {
			if heads[i].Compaction.Compact {
				l.compactLog(heads[i].Partition)
			}
		}
	}
}

// compactLog runs passes over one log until none is due or one fails: then the next
// pulse begins anew, from what the log is by then.
func (l *lead) compactLog(p broker.Partition) {
	for l.ctx.Err() == nil && !l.e.full(l.shard) {
		h, ok := l.r.head(p)
		if !ok {
			return
		}
		times := l.times()
		why, err := compaction.Due(l.r.rows, &h, times)
		if err == nil && why == compaction.NotDue {
			return
		}
		if err == nil {
			err = l.passOver(&h, times, why)
		}
		switch {
		case err == nil:
		case l.ctx.Err() != nil:
			return
		case errors.Is(err, compaction.ErrChanged):
			l.e.log.Debug("compaction will begin again", "partition", p, "err", err)
			return
		default:
			l.e.log.Warn("compaction given up, will be tried again", "partition", p, "err", err)
			return
		}
	}
}

// times are what a pass judges by. With a wall clock that may be wrong nothing is old.
func (l *lead) times() compaction.Times {
	t := compaction.Times{Clock: l.e.host.Clock(uint64(l.shard)), Wall: l.e.clock.now()}
	if err := l.e.clockSane(); err != nil {
		t.Wall = 0
	}
	return t
}

// passOver runs one pass. Of all logs of the node one is compacted at a time: a pass may
// take the memory of a whole map of keys.
//
// Each command is applied before the next one is made, so a crash or a lost leadership
// leaves the log as after some of them, which is right by itself.
func (l *lead) passOver(h *partition.Head, times compaction.Times, why compaction.Reason) error {
	select {
	case l.e.compacting <- struct{}{}:
		defer func() { <-l.e.compacting }()
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
	began := time.Now()
	limits := compaction.Limits{KeysBytes: halved(compaction.KeysBytesDefault, actKeysFew), SliceBytes: halved(compaction.SliceBytesDefault, actSliceSmall)}
	pass, err := compaction.Begin(l.r.rows, *h, l.payload, times, limits)
	if err != nil {
		return err
	}
	for {
		c, payload, err := pass.Next()
		if err != nil {
			return err
		}
		if c == nil {
			break
		}
		if err := l.replaceRows(c, payload); err != nil {
			return err
		}
	}
	if after, ok := l.r.head(h.Partition); ok {
		l.e.log.Debug("compacted", "partition", h.Partition, "why", string(why), "clean to", after.Cleaned, "bytes before", h.Bytes(), "bytes now", after.Bytes(), "took", time.Since(began))
	}
	return nil
}

// halved is n; where a simulator acts, n halved so often that little may be left.
func halved(n int, a point.Act) int {
	times := bits.Len(uint(n)) - 1
	return n >> (times - a.Most(times))
}

// payload reads a batch, at the rate that compaction may read with.
func (l *lead) payload(dst []byte, n partition.Name) ([]byte, error) {
	if l.compactDebt += time.Duration(n.Length) * time.Second / compactBytesPerSecond; l.compactDebt >= compactPause {
		sleep(l.ctx, l.compactDebt)
		l.compactDebt = 0
	}
	if err := l.ctx.Err(); err != nil {
		return dst, err
	}
	return l.e.opt.Journal.ReadPayload(uint64(l.shard), l.r.id, journal.Name(n), dst)
}

// replaceRows proposes one command of a pass and waits for it.
func (l *lead) replaceRows(c *command.PartitionCompact, payload []byte) error {
	ctx, cancel := context.WithTimeout(l.ctx, adminTimeout)
	defer cancel()
	out, err := l.e.proposeWith(ctx, l.shard, l.term, c.AppendHead(nil), payload)
	if err != nil {
		return err
	}
	var r command.PartitionResult
	switch err := r.Decode(out); {
	case err != nil:
		return err
	case r.Code == broker.CodeUnavailable, r.Code == broker.CodeUnknownTopic:
		return compaction.ErrChanged
	case r.Code != broker.CodeNone:
		return broker.Refuse(r.Code, "compact", broker.Partition{Topic: c.Topic, Index: c.Partition}.String())
	}
	return nil
}
