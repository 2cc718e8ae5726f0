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
	b, ok, err := FindBatch(r, h, o)
	return h.trimTo(o, b.BytesBefore(), command.TrimByClient), ok, err
}

func (h *Head) trimTo(start broker.Offset, before uint64, reason command.TrimReason) command.PartitionTrim {
	return command.PartitionTrim{Topic: h.Partition.Topic, Partition: h.Partition.Index, LogStart: start, BytesBefore: before, Reason: reason}
}
