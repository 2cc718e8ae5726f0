package consensus

import "sync"

// events hands leader changes up: in the order they were added, from one goroutine, with no lock held. Adding never
// blocks; the queue holds what changed since the listener last returned.
type events struct {
	mu      sync.Mutex
	queue   []LeaderChange
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
	deliver func(LeaderChange)
}

func newEvents(deliver func(LeaderChange)) *events {
	e := &events{wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}), deliver: deliver}
	go e.run()
	return e
}

func (e *events) add(c LeaderChange) {
	e.mu.Lock()
	e.queue = append(e.queue, c)
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *events) run() {
	defer close(e.done)
	for {
		select {
		case <-e.stop:
			return
		case <-e.wake:
		}
		e.mu.Lock()
		queue := e.queue
		e.queue = nil
		e.mu.Unlock()
		for _, c := range queue {
			actLeadershipToldLate.Pause(actWaitLong)
			e.deliver(c)
		}
	}
}

func (e *events) close() {
	close(e.stop)
	<-e.done
}
