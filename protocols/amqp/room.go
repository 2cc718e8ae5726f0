package amqp

import "sync"

// room bounds bytes of messages over all connections.
type room struct {
	mu      sync.Mutex
	max     int64
	used    int64
	changed chan struct{} // closed and replaced when some is given back
}

func newRoom(max int64) *room { return &room{max: max, changed: make(chan struct{})} }

// take takes n bytes if they are there, or however many there are if force is set. Otherwise it returns a channel that is closed when it
// is worth another try.
func (r *room) take(n int64, force bool) (retry <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used+n > r.max && !force {
		return r.changed
	}
	r.used += n
	return nil
}

func (r *room) give(n int64) {
	if n == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= n
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *room) held() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}
