package engine

import (
	"context"
	"hash/crc32"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
)

// part is what a transaction does on one shard, in commands that are not too large.
type part struct {
	shard  broker.ShardID
	run    uint64 // of the session's lease, if it settles something
	pieces []piece
	bytes  int
}

// piece is one command's.
type piece struct {
	items    []command.QueueSettlement
	messages []command.QueueMessage
	payload  []byte
}

// work is all that a transaction does.
type work struct {
	parts   []*part
	topics  []*topicPart
	results []broker.PublishResult
}

// part is that of a shard.
func (w *work) part(shard broker.ShardID) *part {
	for _, p := range w.parts {
		if p.shard == shard {
			return p
		}
	}
	w.parts = append(w.parts, &part{shard: shard})
	return w.parts[len(w.parts)-1]
}

// bytes are those of its messages.
func (w *work) bytes() (n int64) {
	for _, p := range w.parts {
		n += int64(p.bytes)
	}
	for _, t := range w.topics {
		n += int64(t.bytes)
	}
	return n
}

// Commit stores messages and settles deliveries as one decision. What touches one shard is one command there; what touches several
// is a transaction over them (commitOver).
func (s *session) Commit(ctx context.Context, t *broker.QueueTransaction) ([]broker.PublishResult, error) {
	timeout := t.Timeout
	if timeout <= 0 {
		timeout = commitTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w, err := s.work(ctx, t)
	if err != nil || len(w.parts)+len(w.topics) == 0 {
		return w.results, err
	}
	for _, p := range w.parts {
		if s.e.full(p.shard) && p.bytes > 0 {
			return nil, fullShard(p.shard)
		}
	}
	for _, t := range w.topics {
		if s.e.full(t.shard) {
			return nil, fullShard(t.shard)
		}
	}
	bytes := w.bytes()
	if err := s.e.gate.enter(ctx, bytes); err != nil {
		return nil, broker.Errorf(broker.CodeThrottled, "commit", "session "+s.id.String(), "waiting for room: %w", err)
	}
	defer s.e.gate.leave(bytes)
	if len(w.parts) == 1 && len(w.parts[0].pieces) == 1 && len(w.topics) == 0 {
		err = s.transact(ctx, w.parts[0])
	} else {
		err = s.commitOver(ctx, w)
	}
	if err != nil {
		return nil, err
	}
	return w.results, nil
}

func fullShard(shard broker.ShardID) error {
	return broker.Errorf(broker.CodeStorageFull, "commit", shardName(shard), "a disk of the shard is at its watermark")
}

// work sorts what a transaction does by shard and partition, in the order of its publishes and settlements.
func (s *session) work(ctx context.Context, t *broker.QueueTransaction) (*work, error) {
	const op = "commit"
	w := &work{results: make([]broker.PublishResult, len(t.Publishes))}
	if err := s.usable(op); err != nil {
		return w, err
	}
	for i, p := range t.Publishes {
		m := &p.Message
		qs, targets, err := s.routed(ctx, m)
		if err == nil {
			qs, err = s.there(ctx, qs)
		}
		if err != nil {
			return w, err
		}
		for _, target := range targets {
			w.record(m, target)
		}
		if w.results[i].Queues = len(qs) + len(targets); len(qs) == 0 {
			continue
		}
		stored := appendMessage(nil, m)
		if len(stored) > messageBytesMax {
			return w, broker.Errorf(broker.CodeBatchTooLarge, op, "exchange "+m.Exchange, "%d bytes, at most %d", len(stored), messageBytesMax)
		}
		for _, y := range s.parcels(qs, m) {
			w.part(y.shard).add(m, stored, y.targets)
		}
	}
	settled := 0
	for l, items := range s.settlements(t.Settlements) { //lint:sorted each shard has its own part
		p := w.part(l.shard)
		p.run = l.run
		for len(items) > 0 {
			n := min(len(items), commitItemsMax)
			p.room(0).items = append(p.room(0).items, items[:n]...)
			settled, items = settled+n, items[n:]
			if len(items) > 0 {
				p.pieces = append(p.pieces, piece{})
			}
		}
	}
	if settled < len(t.Settlements) {
		return w, broker.Errorf(broker.CodeUnknownDelivery, op, "session "+s.id.String(), "%d of %d deliveries are not the session's", len(t.Settlements)-settled, len(t.Settlements))
	}
	return w, nil
}

// room is the piece that so many bytes go to.
func (p *part) room(bytes int) *piece {
	if n := len(p.pieces); n == 0 || len(p.pieces[n-1].payload) > 0 && len(p.pieces[n-1].payload)+bytes > commitBytesMax {
		p.pieces = append(p.pieces, piece{})
	}
	return &p.pieces[len(p.pieces)-1]
}

func (p *part) add(m *broker.Message, stored []byte, targets []command.QueueTarget) {
	x := p.room(len(stored))
	c := publishCommand(m, stored, targets)
	x.messages = append(x.messages, command.QueueMessage{Targets: targets, Size: c.Size, Priority: c.Priority, ExpirationMs: c.ExpirationMs, MessageID: c.MessageID,
		Fingerprint: c.Fingerprint, CRC: crc32.Checksum(stored, castagnoli), Length: uint32(len(stored))})
	x.payload = append(x.payload, stored...)
	p.bytes += len(stored)
}

// transact does what touches one shard only: its command is the decision.
func (s *session) transact(ctx context.Context, p *part) error {
	x := &p.pieces[0]
	c := command.QueueTransact{Node: s.id.Node, Run: p.run, Session: s.id.Number, Items: x.items, Messages: x.messages, PayloadLength: uint32(len(x.payload))}
	out, err := s.e.proposeWith(ctx, p.shard, 0, c.AppendHead(nil), x.payload)
	_, err = transacted(out, err, p.shard)
	return err
}

// transacted is what a shard answers to QueueTransact and QueuePrepare. again: all messages came before, and are not added.
func transacted(out []byte, err error, shard broker.ShardID) (again bool, _ error) {
	const op = "commit"
	if err != nil {
		return false, asBroker(err, op, shardName(shard))
	}
	var r command.QueueTransactResult
	if err := r.Decode(out); err != nil {
		return false, broker.Errorf(broker.CodeInternal, op, shardName(shard), "result: %w", err)
	}
	return r.Duplicates == 1, transactRefusal(&r, op, shard)
}

func transactRefusal(r *command.QueueTransactResult, op string, shard broker.ShardID) error {
	switch {
	case r.Code == broker.CodeQueueRefused && r.Duplicates != 0:
		return mixedDuplicates(op, shardName(shard))
	case r.Code == broker.CodeQueueRefused:
		return broker.Errorf(r.Code, op, shardName(shard), "queue %d refused a message, so nothing of the transaction was done", r.Queue)
	case r.Code == broker.CodeUnknownDelivery:
		return broker.Errorf(r.Code, op, shardName(shard), "a delivery of queue %d went back meanwhile, so nothing of the transaction was done", r.Queue)
	case r.Code != broker.CodeNone:
		return broker.Refuse(r.Code, op, shardName(shard))
	case r.Refusal != 0: // the transaction was ended meanwhile, which nobody but its time-out does
		return broker.Errorf(broker.CodeUnavailable, op, shardName(shard), "the transaction was aborted: %v", txn.Code(r.Refusal))
	}
	return nil
}

// mixedDuplicates refuses a transaction of which some messages are in their queues already: to add the others would be another
// transaction than the one that added those.
func mixedDuplicates(op, resource string) error {
	return broker.Errorf(broker.CodeQueueRefused, op, resource, "some messages of the transaction were published before, by their message ids, and some were not: nothing of it was done")
}

const (
	// commitTimeout bounds a commit whose caller gave no bound: some elections.
	commitTimeout = 30 * time.Second
	// commitBytesMax is how many bytes of messages one command of a transaction has, but for a single larger one.
	commitBytesMax = 4 << 20
	// commitItemsMax is how many settlements one command of a transaction has.
	commitItemsMax = 16 << 10
)
