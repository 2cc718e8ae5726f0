package partition

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Retain decides what retention asks for: the PartitionTrim to propose, if any. Only the leader decides, with its
// wall clock in ms since 1970; the command carries the outcome, so replicas need not agree on the time.
//
// By time: batches go from the beginning as long as each is older than retention.ms (Kafka deletes a segment by its
// greatest timestamp; here the unit is the batch). By size: batches go as long as the rest has at least
// retention.bytes. A negative setting is no bound.
func Retain(r keyspace.Reader, h *Head, wall int64) (command.PartitionTrim, bool, error) {
	if !h.Config.DeleteOld || h.Start == h.Next {
		return command.PartitionTrim{}, false, nil
	}
	trim, due := h.trimTo(h.Start, h.BytesBefore, command.TrimByTime), false
	if h.Rewrites > 0 {
		return h.retainCompacted(r, wall)
	}
	consider := func(reason command.TrimReason, maybe func(run) bool, accept func(Batch) bool) error {
		s := search{r, h.Slot, maybe, accept}
		b, ok, err := s.first(runLevels, h.Start, h.Next-1)
		if err != nil {
			return err
		}
		start, before := h.Next, h.BytesTotal
		if ok {
			start, before = b.Base, b.BytesBefore()
		} else if _, ok, err = FindBatch(r, h, h.Next-1); !ok {
			// Everything is to go, but the newest batch is not even there: the rows are older than the head, against
			// the rule above, or all is trimmed already. Nothing is deleted on the word of rows that lag behind.
			return err
		}
		if start > trim.LogStart {
			trim, due = h.trimTo(start, before, reason), true
		}
		return nil
	}
	if keep := h.Config.RetentionMs; keep >= 0 {
		oldest := wall - keep
		if err := consider(command.TrimByTime, func(n run) bool { return n.maxAge >= oldest }, func(b Batch) bool { return b.Age >= oldest }); err != nil {
			return trim, false, err
		}
	}
	if keep := h.Config.RetentionBytes; keep >= 0 && h.Bytes() > uint64(keep) {
		free := h.BytesTotal - uint64(keep) // batches that end at or below it may go
		if err := consider(command.TrimBySize, func(n run) bool { return n.bytesEnd > free }, func(b Batch) bool { return b.BytesEnd > free }); err != nil {
			return trim, false, err
		}
	}
	return trim, due, nil
}

// TrimAt is the PartitionTrim that moves the log start to an offset, as DeleteRecords asks for; not ok if the offset is
// not above the log start, or above the log's end.
func TrimAt(r keyspace.Reader, h *Head, o broker.Offset) (command.PartitionTrim, bool, error) {
	if o <= h.Start || o > h.Next {
		return command.PartitionTrim{}, false, nil
	}
	if o == h.Next {
		return h.trimTo(o, h.BytesTotal, command.TrimByClient), true, nil
	}
	if h.Rewrites > 0 {
		trim, ok, err := h.trimCompacted(r, command.TrimByClient, func(b *Batch, _ uint64) bool { return b.Last < o })
		if ok || err != nil {
			trim.LogStart = o
			return trim, ok, err
		}
		b, ok, err := FindBatch(r, h, o)
		return h.trimTo(o, h.BytesBefore, command.TrimByClient), ok && b.Base <= h.Start, err // that batch holds o, too
	}
	b, ok, err := FindBatch(r, h, o)
	return h.trimTo(o, b.BytesBefore(), command.TrimByClient), ok, err
}

// retainCompacted is Retain for a log that was compacted: its sizes are not those that were appended, so the batches
// that go are read one by one.
func (h *Head) retainCompacted(r keyspace.Reader, wall int64) (trim command.PartitionTrim, due bool, err error) {
	if keep := h.Config.RetentionMs; keep >= 0 {
		trim, due, err = h.trimCompacted(r, command.TrimByTime, func(b *Batch, _ uint64) bool { return b.Age < wall-keep })
	}
	if keep := h.Config.RetentionBytes; keep >= 0 && err == nil {
		bySize, ok, failed := h.trimCompacted(r, command.TrimBySize, func(b *Batch, rest uint64) bool {
			return rest >= uint64(keep)+uint64(b.Name.Length)
		})
		if err = failed; ok && (!due || bySize.LogStart > trim.LogStart) {
			trim, due = bySize, true
		}
	}
	return trim, due && err == nil, err
}

// trimCompacted is the PartitionTrim of the first batches of the log, as many as go; rest is the size of the log from
// the batch on. Not ok if none goes, or if the rows are not those of the head.
func (h *Head) trimCompacted(r keyspace.Reader, reason command.TrimReason, goes func(b *Batch, rest uint64) bool) (command.PartitionTrim, bool, error) {
	next, rest, freed := h.Start, h.Bytes(), h.FreedBefore
	trim := h.trimTo(h.Next, h.BytesTotal, reason)
	whole, some := true, false
	err := Batches(r, h, h.Start, func(b Batch) bool {
		if whole = b.Base <= next && uint64(b.Name.Length) <= rest; !whole {
			return false
		}
		if !goes(&b, rest) {
			trim.LogStart, trim.BytesBefore, next = max(b.Base, h.Start), b.BytesBefore(), h.Next
			return false
		}
		some, next = true, b.Last+1
		rest -= uint64(b.Name.Length)
		freed += int64(b.Appended) - int64(b.Name.Length)
		return true
	})
	trim.FreedBefore = freed
	return trim, some && whole && next == h.Next && err == nil, err
}

func (h *Head) trimTo(start broker.Offset, before uint64, reason command.TrimReason) command.PartitionTrim {
	return command.PartitionTrim{Topic: h.Partition.Topic, Partition: h.Partition.Index, LogStart: start, BytesBefore: before, Reason: reason,
		Rewrites: h.Rewrites, FreedBefore: h.FreedBefore}
}
