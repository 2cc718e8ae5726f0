package engine

import (
	"context"
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// producerBlockOf is the block of producer ids that this node may give out. It lives in
// memory only: a restart takes a new block, so no id is ever given twice.
type producerBlockOf struct {
	mu   sync.Mutex
	next broker.ProducerID
	end  broker.ProducerID // exclusive
}

// InitProducer gives a fresh id with epoch 0.
func (e *Engine) InitProducer(ctx context.Context, _ broker.Client) (broker.ProducerID, broker.ProducerEpoch, error) {
	b := &e.producers
	b.mu.Lock()
	defer b.mu.Unlock() // held while a block is fetched: the others wait for the same block
	if b.next == b.end {
		cmd := command.ProducerBlock{Node: e.opt.Node, Count: producerBlock}
		out, err := e.propose(ctx, catalog.CatalogShard, 0, cmd.AppendTo(nil))
		if err != nil {
			// The block may be taken all the same: its ids are then never used.
			return 0, 0, asUnavailable(err, "init producer", "")
		}
		var r command.ProducerBlockResult
		if err := r.Decode(out); err != nil {
			return 0, 0, broker.Errorf(broker.CodeInternal, "init producer", "", "%w", err)
		}
		if r.Code != broker.CodeNone {
			return 0, 0, broker.Refuse(r.Code, "init producer", "")
		}
		b.next, b.end = r.First, r.First+broker.ProducerID(r.Count)
	}
	id := b.next
	b.next++
	return id, 0, nil
}
