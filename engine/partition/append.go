package partition

import (
	"math"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn"
)

// Attribute bits of a record batch that an append may not carry (Kafka protocol, record batch v2).
const (
	transactionalBit = 1 << 4
	controlBit       = 1 << 5
)

// append adds a batch; payloadAt is where its bytes begin in the command.
func (m *Machine) append(ctx Context, c *command.Append, payloadAt uint32, w keyspace.Writer) command.AppendResult {
	p := m.byID[broker.Partition{Topic: c.Topic, Index: c.Partition}]
	if p == nil {
		return command.AppendResult{Code: broker.CodeUnknownTopic, BaseOffset: -1, LogStart: -1, LogAppendTime: -1}
	}
	refuse := func(code broker.Code) command.AppendResult {
		return command.AppendResult{Code: code, BaseOffset: -1, LogStart: p.Start, LogAppendTime: -1}
	}
	if code := judge(c); code != broker.CodeNone {
		return refuse(code)
	}
	// A retry is answered before anything that a change of configuration or a full shard may refuse since: the batch
	// is in the log, and to say otherwise makes a client send it anew, under another sequence.
	idempotent := c.ProducerID >= 0
	transactional := c.Attributes&transactionalBit != 0
	var win *window
	refused := broker.CodeNone
	if idempotent {
		win = p.windows[c.ProducerID]
		if win != nil {
			switch v := win.Check(txn.Epoch(c.ProducerEpoch), txn.Sequence(c.BaseSequence), lastSequence(c), c.Fingerprint); v.Action {
			case txn.Duplicate:
				if transactional && p.ofEarlier(c.ProducerID, broker.Offset(v.Original.BaseOffset)) {
					return refuse(broker.CodeOutOfOrderSequence)
				}
				return command.AppendResult{Duplicate: true, BaseOffset: broker.Offset(v.Original.BaseOffset), LogStart: p.Start,
					LogAppendTime: v.Original.Timestamp}
			case txn.Refuse:
				if refused = codeOf(v.Code); refused == broker.CodeProducerFenced {
					return refuse(refused)
				}
			}
		}
	}
	// A batch behind one that was refused for its transaction is refused for the same, not for the gap: both come again.
	if code := p.admit(c.ProducerID, c.ProducerEpoch, c.Number, transactional); code != broker.CodeNone {
		return refuse(code)
	}
	if refused != broker.CodeNone {
		return refuse(refused)
	}
	if c.PayloadLength > p.Config.BatchBytesMax {
		return refuse(broker.CodeBatchTooLarge)
	}
	if int64(p.Next) > math.MaxInt64-int64(c.Records) {
		return refuse(broker.CodeInvalidRecord)
	}
	if idempotent && win == nil {
		// Forgetting another producer instead would let that one's retry in twice.
		if m.windows.n >= m.producersMax {
			return refuse(broker.CodeThrottled)
		}
		win = m.addWindow(p, c.ProducerID)
	}
	b := m.place(ctx, p, c, payloadAt)
	m.key = keyspace.AppendBatchKey(m.key[:0], p.Slot, b.Last)
	m.value = appendBatchRow(m.value[:0], &b)
	w.Set(m.key, m.value)
	m.noteReverse(p.Slot, &b, w)
	m.grow(p, &b, w)
	if b.Transactional() {
		p.txns.Appended(txn.ProducerID(c.ProducerID), int64(b.Base), int64(ctx.Clock))
		m.held(p, txn.ProducerID(c.ProducerID))
	}
	m.advance(p, &b, w)
	if idempotent {
		win.Record(txn.Epoch(c.ProducerEpoch), txn.Batch{
			FirstSequence: txn.Sequence(c.BaseSequence), LastSequence: lastSequence(c),
			BaseOffset: int64(b.Base), LastOffset: int64(b.Last), Timestamp: b.LogAppendTime, Fingerprint: c.Fingerprint,
		}, int64(ctx.Clock))
		m.used(win)
	}
	return command.AppendResult{BaseOffset: b.Base, LogStart: p.Start, LogAppendTime: b.LogAppendTime}
}

// judge refuses commands that no correct leader proposes; it looks at the command alone.
func judge(c *command.Append) broker.Code {
	switch {
	case c.Records < 1, c.MaxTimestampDelta < 0, c.MaxTimestampDelta >= c.Records, c.PayloadLength == 0,
		c.MaxTimestamp < -1, c.LogAppendTime < -1, c.Attributes&controlBit != 0:
		return broker.CodeInvalidRecord
	case c.ProducerID < -1, c.ProducerID >= 0 && (c.ProducerEpoch < 0 || c.BaseSequence < 0):
		return broker.CodeInvalidRecord
	case c.ProducerID < 0 && c.Attributes&transactionalBit != 0:
		return broker.CodeInvalidRecord
	}
	return broker.CodeNone
}

func lastSequence(c *command.Append) txn.Sequence {
	return txn.LastSequence(txn.Sequence(c.BaseSequence), c.Records)
}

// codeOf translates a window's refusal.
func codeOf(c txn.Code) broker.Code {
	switch c {
	case txn.OutOfOrderSequence:
		return broker.CodeOutOfOrderSequence
	case txn.DuplicateSequence:
		return broker.CodeDuplicateSequence
	case txn.InvalidProducerEpoch:
		return broker.CodeProducerFenced
	}
	return broker.CodeInternal
}

// place says what the batch's row will be.
func (m *Machine) place(ctx Context, p *partition, c *command.Append, payloadAt uint32) Batch {
	b := Batch{
		Base:          p.Next,
		Last:          p.Next + broker.Offset(c.Records) - 1,
		Name:          Name{Index: ctx.Index, Position: ctx.Position + payloadAt, Length: c.PayloadLength, CRC: c.PayloadCRC},
		Epoch:         m.epoch(p),
		Attributes:    c.Attributes,
		MaxTimestamp:  c.MaxTimestamp,
		MaxAt:         p.Next + broker.Offset(c.MaxTimestampDelta),
		LogAppendTime: c.LogAppendTime,
		BytesEnd:      p.BytesTotal + uint64(c.PayloadLength),
		Appended:      uint64(c.PayloadLength),
		Horizon:       -1,
	}
	if b.LogAppendTime >= 0 { // every record has the stamp, so the first is the first that has it
		b.MaxTimestamp, b.MaxAt = b.LogAppendTime, b.Base
	}
	b.Age = b.MaxTimestamp
	if b.Age < 0 {
		b.Age = max(ctx.Wall, 0)
	}
	return b
}

// advance moves the head behind the batch.
func (m *Machine) advance(p *partition, b *Batch, w keyspace.Writer) {
	p.Next = b.Last + 1
	p.BytesTotal = b.BytesEnd
	if b.MaxTimestamp > p.MaxTimestamp {
		p.MaxTimestamp, p.MaxTimestampOffset = b.MaxTimestamp, b.MaxAt
	}
	if n := len(p.epochs); n == 0 || p.epochs[n-1].Epoch < b.Epoch {
		p.epochs = append(p.epochs, EpochStart{b.Epoch, b.Base})
		m.key = keyspace.AppendEpochKey(m.key[:0], p.Slot, b.Epoch)
		m.value = appendEpochRow(m.value[:0], b.Base)
		w.Set(m.key, m.value)
		m.trimEpochs(p, w) // if the log was empty, the epoch before is of no offset any more
	}
	m.touch(p, Appended)
}
