package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// crowd is the clients of one work, each on a goroutine. The first error ends the wait for them.
type crowd struct {
	ctx  context.Context
	wg   sync.WaitGroup
	errs chan error
}

// crowdMax bounds the clients that may fail at once.
const crowdMax = 256

func newCrowd(ctx context.Context) *crowd { return &crowd{ctx: ctx, errs: make(chan error, crowdMax)} }

// join starts a client. What it meets after the end does not count.
func (c *crowd) join(f func() error) {
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		if err := f(); err != nil && c.ctx.Err() == nil {
			c.errs <- err
		}
	}()
}

// until waits for a condition or the first error.
func (c *crowd) until(cond func() bool) error {
	for !cond() {
		select {
		case err := <-c.errs:
			return err
		case <-c.ctx.Done():
			return fmt.Errorf("not done in time: %w", c.ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func (c *crowd) wait() { c.wg.Wait() }
