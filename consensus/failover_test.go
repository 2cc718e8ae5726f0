package consensus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// load is one client that numbers its commands and remembers what became of each.
type load struct {
	node *testNode
	name string

	mu      sync.Mutex
	sent    int
	results map[int]uint64
	unknown map[int]bool
	refused map[int]bool
}

func newLoad(n *testNode, name string) *load {
	return &load{node: n, name: name, results: map[int]uint64{}, unknown: map[int]bool{}, refused: map[int]bool{}}
}

// run proposes without waiting for answers until stop is closed, then waits for all of them.
func (l *load) run(stop <-chan struct{}) {
	var wg sync.WaitGroup
	window := make(chan struct{}, 200)
	for i := 0; ; i++ {
		select {
		case <-stop:
			wg.Wait()
			return
		case window <- struct{}{}:
		}
		l.mu.Lock()
		l.sent = i + 1
		l.mu.Unlock()
		wg.Add(1)
		l.node.host.Propose(&Proposal{Shard: testShard, Head: []byte(l.name), Payload: binary.BigEndian.AppendUint64(nil, uint64(i)), Done: func(r []byte, err error) {
			l.mu.Lock()
			switch {
			case err == nil:
				l.results[i] = binary.BigEndian.Uint64(r)
			case errors.Is(err, ErrUnknownOutcome):
				l.unknown[i] = true
			default:
				l.refused[i] = true
			}
			l.mu.Unlock()
			<-window
			wg.Done()
		}})
		if i%20 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// check compares what the client was told with what a replica applied.
func (l *load) check(log []toyRow) error {
	last := -1
	at := map[int]uint64{}
	for i, r := range log {
		if r.Start || len(r.Body) != len(l.name)+8 || string(r.Body[:len(l.name)]) != l.name {
			continue
		}
		k := int(binary.BigEndian.Uint64(r.Body[len(l.name):]))
		if _, twice := at[k]; twice {
			return fmt.Errorf("%s: %d applied twice", l.name, k)
		}
		at[k] = uint64(i)
		// Order is promised for what was answered. What a stopped replica left unknown may be applied until its node opens
		// a new stream, and the node forwards its next commands meanwhile.
		if l.unknown[k] {
			continue
		}
		if k <= last {
			return fmt.Errorf("%s: %d applied after %d", l.name, k, last)
		}
		last = k
	}
	for k := range l.sent {
		place, applied := at[k]
		result, acked := l.results[k]
		switch {
		case acked && !applied:
			return fmt.Errorf("%s: %d acknowledged and lost", l.name, k)
		case acked && place != result:
			return fmt.Errorf("%s: %d acknowledged at %d, applied at %d", l.name, k, result, place)
		case l.refused[k] && applied:
			return fmt.Errorf("%s: %d refused and applied", l.name, k)
		case !acked && !l.refused[k] && !l.unknown[k]:
			return fmt.Errorf("%s: %d never answered", l.name, k)
		}
	}
	return nil
}

func (c *testCluster) checkLoads(loads ...*load) {
	c.t.Helper()
	for _, n := range c.nodes {
		if n.host == nil || n.toy() == nil {
			continue
		}
		for _, l := range loads {
			if err := l.check(n.toy().log()); err != nil {
				c.t.Fatalf("node %d: %v", n.id, err)
			}
		}
	}
}

// transfer moves the leadership to a node; the request may be dropped, so it is asked again until it works.
func (c *testCluster) transfer(from, to *testNode) {
	c.t.Helper()
	asked := 0
	c.eventually("the new leader", func() bool {
		if asked%50 == 0 {
			if err := from.host.TransferLeader(testShard, uint64(to.id)); err != nil {
				c.t.Log(err) // an earlier request is still waiting
			}
		}
		asked++
		_, ok := to.host.Leading(testShard)
		return ok
	})
}

// The leadership moves many times while three nodes propose: nothing is lost, doubled or reordered.
func TestTransferUnderLoad(t *testing.T) {
	c := newCluster(t, 3)
	c.boot(3)
	c.leader()
	stop := make(chan struct{})
	var loads []*load
	var wg sync.WaitGroup
	for _, n := range c.nodes {
		l := newLoad(n, fmt.Sprintf("load-%d-", n.id))
		loads = append(loads, l)
		wg.Go(func() { l.run(stop) })
	}
	for i := range 12 {
		leader := c.leader()
		c.transfer(leader, c.nodes[(int(leader.id)+i%2)%3])
		leader.mustPropose("between")
	}
	close(stop)
	wg.Wait()
	c.sameLogs(c.nodes...)
	total := 0
	for _, l := range loads {
		total += len(l.results)
		if len(l.unknown)+len(l.refused) > 0 {
			t.Errorf("%s: %d unknown, %d refused though no node failed", l.name, len(l.unknown), len(l.refused))
		}
	}
	c.checkLoads(loads...)
	t.Logf("%d commands over 12 transfers, last term %d", total, c.nodes[0].toy().term())
}

// The leader's host is closed and started again, in turn on all nodes; clients of other nodes see no gap at all.
func TestLeaderRestartUnderLoad(t *testing.T) {
	c := newCluster(t, 3)
	c.boot(3)
	for round := range 3 {
		leader := c.leader()
		stop := make(chan struct{})
		var loads []*load
		var wg sync.WaitGroup
		for _, n := range c.nodes {
			l := newLoad(n, fmt.Sprintf("r%d-n%d-", round, n.id))
			loads = append(loads, l)
			wg.Go(func() { l.run(stop) })
		}
		c.eventually("progress", func() bool { return len(c.nodes[0].toy().log()) > 200*(round+1) })
		if err := leader.host.Close(); err != nil {
			t.Fatal(err)
		}
		other := c.nodes[int(leader.id)%3]
		other.mustPropose("after the kill")
		close(stop)
		wg.Wait()
		leader.stop()
		leader.start()
		leader.host.SetPlacement(testShard, c.placement(3))
		leader.startReplica(nil)
		c.sameLogs(c.nodes...)
		c.checkLoads(loads...)
		for _, l := range loads {
			if l.node != leader && len(l.unknown)+len(l.refused) > 0 {
				t.Errorf("%s: %d unknown, %d refused on a node that did not fail", l.name, len(l.unknown), len(l.refused))
			}
		}
	}
}

func TestStaleTermIsRefused(t *testing.T) {
	c := newCluster(t, 3)
	c.boot(3)
	leader := c.leader()
	term, _ := leader.host.Leading(testShard)
	if o := leader.propose(c.ctx(), term, []byte("in term")); o.err != nil {
		t.Fatal(o.err)
	}
	target := c.nodes[int(leader.id)%3]
	c.transfer(leader, target)
	before := len(target.toy().log())
	if o := leader.propose(c.ctx(), term, []byte("stale")); !errors.Is(o.err, ErrStaleTerm) {
		t.Fatalf("stale term: %v", o.err)
	}
	// A stale command uses up its number and nothing else: the next one is applied.
	leader.mustPropose("next")
	c.sameLogs(c.nodes...)
	for _, r := range target.toy().log()[before:] {
		if string(r.Body) == "stale" {
			t.Fatal("a stale command was applied")
		}
	}
}

// A node without a replica forwards; results, refusals and unknown outcomes come back right.
func TestForwarding(t *testing.T) {
	c := newCluster(t, 4)
	c.boot(3)
	leader := c.leader()
	far := c.nodes[3]
	last := uint64(0)
	for i := range 50 {
		if r := far.mustPropose(fmt.Sprint("far ", i)); i > 0 && r <= last {
			t.Fatalf("result %d after %d", r, last)
		} else {
			last = r
		}
	}
	if o := far.propose(c.ctx(), 1<<40, []byte("stale")); !errors.Is(o.err, ErrStaleTerm) {
		t.Fatalf("stale over the wire: %v", o.err)
	}
	c.eventually("a leader hint", func() bool { n, _, ok := far.host.Leader(testShard); return ok && n == leader.id })
	stop := make(chan struct{})
	l := newLoad(far, "forwarded-")
	var wg sync.WaitGroup
	wg.Go(func() { l.run(stop) })
	c.eventually("progress", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return len(l.results) > 500 })
	leader.stop()
	c.eventually("progress without the old leader", func() bool {
		o := far.propose(c.ctx(), 0, []byte("x"))
		return o.err == nil
	})
	close(stop)
	wg.Wait()
	var alive []*testNode
	for _, n := range c.nodes[:3] {
		if n != leader {
			alive = append(alive, n)
		}
	}
	c.sameLogs(alive...)
	for _, n := range alive {
		if err := l.check(n.toy().log()); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d applied, %d unknown, %d refused", len(l.results), len(l.unknown), len(l.refused))
}

// A host that gives its replica up while a stream of commands leads to it is left for another one.
func TestForwardingLeavesAFormerHost(t *testing.T) {
	c := newCluster(t, 4)
	c.boot(3)
	far := c.nodes[3]
	far.mustPropose("opens a stream to one of them")
	for i, n := range c.nodes[:3] {
		if err := n.host.StopReplica(testShard); err != nil {
			t.Fatal(err)
		}
		c.eventually("progress through the others", func() bool { return far.propose(c.ctx(), 0, fmt.Append(nil, "without ", i)).err == nil })
		n.startReplica(nil)
		c.sameLogs(c.nodes[:3]...)
	}
}

// With nobody to forward to, nothing was applied, and the answer says so.
func TestForwardingToNobody(t *testing.T) {
	c := newCluster(t, 2)
	c.nodes[0].start()
	c.nodes[0].host.SetPlacement(testShard, []Placement{{Replica: 2, Node: 2}})
	if o := c.nodes[0].propose(c.ctx(), 0, []byte("x")); !errors.Is(o.err, ErrNotApplied) || !errors.Is(o.err, ErrNoReplica) {
		t.Fatal(o.err)
	}
}

// Without a majority a command stays unknown, and is applied once when the majority is back.
func TestUnknownWithoutMajority(t *testing.T) {
	c := newCluster(t, 3)
	c.boot(3)
	c.leader()
	c.sameLogs(c.nodes...)
	c.nodes[1].stop()
	c.nodes[2].stop()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if o := c.nodes[0].propose(ctx, 0, []byte("orphan")); !errors.Is(o.err, ErrUnknownOutcome) {
		t.Fatal(o.err)
	}
	if err := c.nodes[0].host.ReadBarrier(ctx, testShard); err == nil {
		t.Fatal("a read barrier without a majority")
	}
	for _, n := range c.nodes[1:] {
		n.start()
		n.host.SetPlacement(testShard, c.placement(3))
		n.startReplica(nil)
	}
	c.nodes[0].mustPropose("after")
	c.sameLogs(c.nodes...)
	count := 0
	for _, r := range c.nodes[1].toy().log() {
		if string(r.Body) == "orphan" {
			count++
		}
	}
	if count != 1 {
		t.Fatalf("the orphan was applied %d times", count)
	}
}
