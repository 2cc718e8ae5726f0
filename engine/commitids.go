package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
)

// commitIDPrefix begins the transactional ids of transactions over queues; clients do not get them. They are this node's for
// ever: its next life takes them over, and with that aborts what the last one left open.
const commitIDPrefix = "__tally.commit."

// commitsMax is how many transactions over several shards are committed side by side over this node: so many ids it uses at
// most on each shard.
const commitsMax = 256

// producerIdentity is whom a transactional id writes as.
type producerIdentity struct {
	id    broker.ProducerID
	epoch broker.ProducerEpoch
}

// commitID is a transactional id, used by one transaction at a time.
type commitID struct {
	e        *Engine
	name     string
	shard    broker.ShardID // that coordinates it
	slot     catalog.Slot
	version  uint64
	producer producerIdentity
}

// commitIDs are those that no transaction uses now.
type commitIDs struct {
	room chan struct{}

	mu   sync.Mutex
	free map[broker.ShardID][]*commitID
	made int // numbers looked at, over all shards
}

func newCommitIDs() *commitIDs {
	return &commitIDs{room: make(chan struct{}, commitsMax), free: map[broker.ShardID][]*commitID{}}
}

func (x *commitIDs) enter(ctx context.Context) error {
	select {
	case x.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *commitIDs) leave() { <-x.room }

// put gives back an id that has no open transaction.
func (x *commitIDs) put(id *commitID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.free[id.shard] = append(x.free[id.shard], id)
}

func (x *commitIDs) take(shard broker.ShardID) *commitID {
	x.mu.Lock()
	defer x.mu.Unlock()
	free := x.free[shard]
	if len(free) == 0 {
		return nil
	}
	id := free[len(free)-1]
	x.free[shard] = free[:len(free)-1]
	return id
}

// commitID is an id that a shard coordinates and nobody uses.
func (e *Engine) commitID(ctx context.Context, shard broker.ShardID) (*commitID, error) {
	if id := e.commitIDs.take(shard); id != nil {
		return id, nil
	}
	id := e.newCommitID(shard)
	c := command.TxnInit{Name: id.name, Slot: uint32(id.slot), SlotVersion: id.version, ExpectedID: -1, ExpectedEpoch: -1, TimeoutMs: commitOpenMax.Milliseconds(), Fresh: -1}
	for {
		out, err := e.propose(ctx, shard, 0, c.AppendTo(nil))
		if err != nil {
			return nil, asUnavailable(err, "commit", transactional(id.name))
		}
		var r command.TxnProducerResult
		if err := r.Decode(out); err != nil {
			return nil, broker.Errorf(broker.CodeInternal, "commit", transactional(id.name), "result: %w", err)
		}
		if txn.Code(r.Refusal) != txn.NeedProducerID || c.Fresh >= 0 {
			id.producer = producerIdentity{r.ProducerID, r.Epoch}
			return id, refusal(r.Refusal, "commit", transactional(id.name))
		}
		if c.Fresh, _, err = e.InitProducer(ctx, broker.Client{}); err != nil {
			return nil, err
		}
	}
}

// newCommitID is the next name that a shard coordinates. Those of other shards in between are left out.
func (e *Engine) newCommitID(shard broker.ShardID) *commitID {
	e.commitIDs.mu.Lock()
	defer e.commitIDs.mu.Unlock()
	v := e.view.Load()
	for {
		e.commitIDs.made++
		name := fmt.Sprintf("%s%d.%d", commitIDPrefix, e.opt.Node, e.commitIDs.made)
		if slot, owner := v.Owner(name); owner.Shard == shard {
			return &commitID{e: e, name: name, shard: shard, slot: slot, version: owner.Version}
		}
	}
}

// reserved refuses transactional ids that are not for clients.
func reserved(id, op string) error {
	if strings.HasPrefix(id, commitIDPrefix) {
		return broker.Errorf(broker.CodeInvalidRequest, op, transactional(id), "names that begin with %s are the cluster's own", commitIDPrefix)
	}
	return nil
}
