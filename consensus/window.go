package consensus

import (
	"context"
	"fmt"

	"golang.org/x/sync/semaphore"
)

// window bounds the bytes of commands whose outcome is not known: per shard and, over all shards, per node. Waiters are
// served in the order they came, so a large command is not starved by small ones.
type window struct {
	shard, node *semaphore.Weighted
}

func newWindow(shardBytes int64, node *semaphore.Weighted) *window {
	return &window{shard: semaphore.NewWeighted(shardBytes), node: node}
}

// acquire waits for room until ctx ends.
func (w *window) acquire(ctx context.Context, n int64) error {
	if err := w.shard.Acquire(ctx, n); err != nil {
		return fmt.Errorf("waiting for room in the shard's window: %w", err)
	}
	if err := w.node.Acquire(ctx, n); err != nil {
		w.shard.Release(n)
		return fmt.Errorf("waiting for room in the node's window: %w", err)
	}
	return nil
}

func (w *window) release(n int64) {
	w.node.Release(n)
	w.shard.Release(n)
}

// charge is what a command costs in the windows.
func charge(p *Proposal) int64 {
	return int64(len(p.Head)+len(p.Payload)) + commandOverheadBytes
}
