package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lni/dragonboat/v4"
)

// attempt is how long one request to Raft is waited for before it is made again: requests to a leader that just went,
// or over a connection that is not yet up, vanish without a word.
func (h *Host) attempt() time.Duration {
	return min(max(2*time.Duration(h.o.ElectionRTT)*h.o.RTT, retryEvery), requestTimeout)
}

// retry repeats what fails for reasons that pass, until ctx ends.
func (h *Host) retry(ctx context.Context, fn func(ctx context.Context) error) error {
	for {
		rctx, cancel := context.WithTimeout(ctx, h.attempt())
		err := fn(rctx)
		cancel()
		if err == nil || errors.Is(err, dragonboat.ErrClosed) || errors.Is(err, dragonboat.ErrShardNotFound) || !dragonboat.IsTempError(err) {
			return err
		}
		atAttemptRepeated.Hit()
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		sleep(ctx, retryEvery/4)
	}
}

// ReadBarrier returns nil when everything acknowledged anywhere before the call is applied in the local replica: Raft's
// read index, confirmed by a majority.
func (h *Host) ReadBarrier(ctx context.Context, shard uint64) error {
	if h.replica(shard) == nil {
		return ErrNoReplica
	}
	err := h.retry(ctx, func(ctx context.Context) error {
		if actBarrierFails.Now() {
			return dragonboat.ErrShardNotReady
		}
		deadline, _ := ctx.Deadline()
		rs, err := h.nh.ReadIndex(shard, max(time.Until(deadline), h.o.RTT))
		if err != nil {
			return err
		}
		defer rs.Release()
		select {
		case r := <-rs.ResultC():
			switch {
			case r.Completed():
				return nil
			case r.Terminated():
				return dragonboat.ErrShardNotFound
			}
			return dragonboat.ErrShardNotReady
		case <-ctx.Done():
			return dragonboat.ErrTimeout
		}
	})
	if err != nil {
		return fmt.Errorf("consensus: read barrier of shard %d: %w", shard, err)
	}
	return nil
}
