package journal

import "sync"

// notifier calls the owner back from a goroutine of its own: dragonboat calls the journal with locks held that a
// callback may want.
type notifier struct {
	mu    sync.Mutex
	cond  sync.Cond
	queue []func()
	stop  bool
	opts  *Options
	died  bool
}

func newNotifier(opts *Options) *notifier {
	n := &notifier{opts: opts}
	n.cond.L = &n.mu
	return n
}

func (n *notifier) push(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, f)
	n.cond.Signal()
}

func (n *notifier) damage(d Damage) {
	if n.opts.OnDamage != nil {
		n.push(func() { n.opts.OnDamage(d) })
	}
}

func (n *notifier) space(l SpaceLevel) {
	if n.opts.OnSpace != nil {
		n.push(func() { n.opts.OnSpace(l) })
	}
}

func (n *notifier) fatal(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.died {
		n.died = true
		n.queue = append(n.queue, func() { n.opts.OnFatal(err) })
		n.cond.Signal()
	}
}

// run calls back in order until close; what is queued then is still delivered.
func (n *notifier) run() {
	for f := n.next(); f != nil; f = n.next() {
		f()
	}
}

// next waits for something to say; nil: closed.
func (n *notifier) next() func() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.queue) == 0 {
		if n.stop {
			return nil
		}
		n.cond.Wait()
	}
	f := n.queue[0]
	n.queue = n.queue[1:]
	return f
}

func (n *notifier) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stop = true
	n.cond.Signal()
}
