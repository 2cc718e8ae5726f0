package engine

import (
	"fmt"
	"time"
)

// wallClock is the wall clock as it was at the start, advanced by the monotonic one:
// jumps of the wall clock while the node runs move nothing.
type wallClock struct {
	start time.Time
	wall  int64
}

func newWallClock() *wallClock {
	now := time.Now()
	return &wallClock{start: now, wall: now.UnixMilli()}
}

// now is in ms since 1970.
func (c *wallClock) now() int64 { return c.wall + time.Since(c.start).Milliseconds() }

// clockSane compares this node's clock with its live peers': it must agree with at least
// half of them.
func (e *Engine) clockSane() error {
	own, agree, differ := e.clock.now(), 0, 0
	for _, n := range e.view.Load().Nodes() {
		if n.ID == e.opt.Node {
			continue
		}
		s, ok := e.peers.status(n.ID)
		switch {
		case !ok:
		case time.Duration(max(own-s.Wall, s.Wall-own))*time.Millisecond <= clockSkewMax:
			agree++
		default:
			differ++
		}
	}
	if differ > agree {
		return fmt.Errorf("this node's clock is more than %v off %d of %d live peers'", clockSkewMax, differ, agree+differ)
	}
	return nil
}
