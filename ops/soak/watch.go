package main

import (
	"sync"
	"time"

	"github.com/tallymq/tallymq/ops/local"
)

// watchEvery is the pause between two looks; the kernel keeps the peak of the resident set itself.
const watchEvery = 200 * time.Millisecond

// watcher samples the nodes all along and keeps the greatest of each figure.
type watcher struct {
	mu   sync.Mutex
	max  sample
	end  chan struct{}
	done sync.WaitGroup
}

func newWatcher(c *local.Cluster) *watcher {
	w := &watcher{end: make(chan struct{})}
	for _, p := range c.Nodes {
		w.done.Add(1)
		go w.follow(p)
	}
	return w
}

func (w *watcher) follow(p *local.Process) {
	defer w.done.Done()
	for {
		if s, err := take(p); err == nil { // a node that starts does not answer yet
			w.note(s)
		}
		select {
		case <-w.end:
			return
		case <-time.After(watchEvery):
		}
	}
}

func (w *watcher) note(s sample) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := &w.max
	m.rss, m.heap, m.runtime, m.goroutines = max(m.rss, s.rssPeak), max(m.heap, s.heap), max(m.runtime, s.runtime), max(m.goroutines, s.goroutines)
}

// peak is the greatest of each figure so far, over all nodes.
func (w *watcher) peak() sample {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.max
}

func (w *watcher) stop() {
	close(w.end)
	w.done.Wait()
}
