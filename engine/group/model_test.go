package group

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// crowd throws random requests at a group and remembers, without knowing how a coordinator works, what it was told.
type crowd struct {
	t *rapid.T
	w *world
	// ids and generations that were ever given out: also old ones are used, as late requests use them.
	ids        []string
	generation broker.Generation            // the newest that anyone was told
	leaders    map[broker.Generation]string // who was told to lead it
	synced     broker.Generation            // the newest of which anyone has an assignment
	asked      map[string]string            // request → member id, "" for a new one
	commits    []*command.OffsetCommit      // let through, on their way
	late       []Store                      // of coordinators that were superseded
	requests   int
}

func newCrowd(t *rapid.T) *crowd {
	c := &crowd{t: t, w: newWorld(t), leaders: make(map[broker.Generation]string), asked: make(map[string]string)}
	c.w.config.InitialRebalanceDelay = int64(rapid.SampledFrom([]int{0, 3000}).Draw(t, "delay"))
	c.w.config.MembersMax = rapid.IntRange(2, 5).Draw(t, "members")
	c.w.c = NewCoordinator(c.w.config)
	c.w.manual = true
	c.w.onReply = c.told
	return c
}

// told checks what a client is told against what is applied and what others were told.
func (c *crowd) told(name string, r Reply) {
	applied, stored := c.w.m.Group("g")
	if e, ok := r.Err.(*broker.Error); ok && e.MemberID != "" {
		c.ids = append(c.ids, e.MemberID)
	}
	if j := r.Joined; j != nil {
		if !stored || applied.Generation < j.Generation {
			c.t.Fatalf("%s was told of generation %d, which is not stored", name, j.Generation)
		}
		if j.Generation < c.generation {
			c.t.Fatalf("%s was told of generation %d after %d", name, j.Generation, c.generation)
		}
		c.generation = j.Generation
		if !slices.Contains(c.ids, j.MemberID) {
			c.ids = append(c.ids, j.MemberID)
		}
		if j.MemberID == j.LeaderID && !j.SkipAssignment {
			if l, ok := c.leaders[j.Generation]; ok && l != j.MemberID {
				c.t.Fatalf("generation %d has leaders %s and %s", j.Generation, l, j.MemberID)
			}
			c.leaders[j.Generation] = j.MemberID
		}
	}
	if s := r.Synced; s != nil {
		g, err := strconv.Atoi(string(s.Assignment))
		if err != nil {
			return // a member that the leader did not know
		}
		if !stored || applied.Generation < broker.Generation(g) || applied.Generation == broker.Generation(g) && applied.Phase != PhaseStable {
			c.t.Fatalf("%s has an assignment of generation %d, applied is %v", name, g, applied)
		}
		c.synced = max(c.synced, broker.Generation(g))
	}
}

func (c *crowd) request(kind string) string {
	c.requests++
	return fmt.Sprintf("%s-%d", kind, c.requests)
}

// claim draws who a request says it is: mostly a known id and the newest generation.
func (c *crowd) claim() broker.GroupMember {
	m := broker.GroupMember{Client: broker.Client{ID: "c"}, Group: "g"}
	if len(c.ids) > 0 && rapid.IntRange(0, 9).Draw(c.t, "known") > 0 {
		// The latest ids are the most interesting ones.
		m.MemberID = c.ids[max(0, len(c.ids)-1-rapid.IntRange(0, 5).Draw(c.t, "id"))]
	}
	m.Generation = c.generation - broker.Generation(max(0, rapid.IntRange(-4, 2).Draw(c.t, "behind")))
	if rapid.IntRange(0, 4).Draw(c.t, "static") == 0 {
		m.InstanceID = rapid.SampledFrom([]string{"s1", "s2"}).Draw(c.t, "instance")
	}
	return m
}

func (c *crowd) join() {
	r := &broker.JoinGroup{GroupMember: c.claim(), ProtocolType: "consumer", SessionTimeout: 10 * time.Second,
		RebalanceTimeout:   time.Duration(rapid.IntRange(0, 20).Draw(c.t, "rebalance")) * time.Second,
		RequireKnownMember: rapid.Bool().Draw(c.t, "require"), CanSkipAssignment: rapid.Bool().Draw(c.t, "skip")}
	if rapid.IntRange(0, 2).Draw(c.t, "anew") == 0 {
		r.MemberID = ""
	}
	r.Protocols = []broker.GroupProtocol{{Name: "range", Metadata: []byte(rapid.SampledFrom([]string{"x", "y"}).Draw(c.t, "metadata"))}}
	if rapid.Bool().Draw(c.t, "two") {
		r.Protocols = append([]broker.GroupProtocol{{Name: "sticky"}}, r.Protocols...)
	}
	name := c.request("join")
	c.asked[name] = r.MemberID
	c.w.step(Join{Waiter: c.w.waiter(name), Request: r, Unique: name})
}

func (c *crowd) sync() {
	r := &broker.SyncGroup{GroupMember: c.claim()}
	for _, id := range c.ids {
		r.Assignments = append(r.Assignments, broker.MemberAssignment{MemberID: id, Assignment: []byte(strconv.Itoa(int(r.Generation)))})
	}
	c.w.step(Sync{Waiter: c.w.waiter(c.request("sync")), Request: r})
}

func (c *crowd) commit() {
	m, allowed := c.claim(), false
	name := c.request("commit")
	c.w.onReply = func(n string, r Reply) { c.told(n, r); allowed = allowed || n == name && r.Err == nil }
	c.w.step(Commit{Waiter: c.w.waiter(name), Member: m})
	c.w.onReply = c.told
	if allowed || rapid.IntRange(0, 3).Draw(c.t, "rogue") == 0 {
		c.commits = append(c.commits, &command.OffsetCommit{Group: "g", Member: m.MemberID, Instance: m.InstanceID, Generation: m.Generation,
			RetentionMs: -1, Offsets: []command.OffsetCommitItem{{TopicID: broker.TopicID{1}, Topic: "orders", Offset: 1, LeaderEpoch: -1}}})
	}
}

// commitArrives applies a commit, however late.
func (c *crowd) commitArrives() {
	if len(c.commits) == 0 {
		return
	}
	m := c.commits[0]
	c.commits = c.commits[1:]
	r := c.w.apply(m).(*command.OffsetResult)
	if r.Code == broker.CodeNone && m.Generation < c.synced && m.Generation >= 0 {
		c.t.Fatalf("generation %d committed after generation %d had its assignments", m.Generation, c.synced)
	}
}

func (c *crowd) storeEnds() {
	if len(c.w.stores) == 0 {
		return
	}
	s := c.w.stores[0]
	switch rapid.IntRange(0, 9).Draw(c.t, "store") {
	case 0: // failed, not stored
		c.w.stores = c.w.stores[1:]
		c.w.step(Stored{Group: "g", ID: s.ID, Code: broker.CodeUnavailable})
		c.reload()
	case 1: // failed, but stored
		c.w.stores = c.w.stores[1:]
		c.w.propose(s)
		c.w.step(Stored{Group: "g", ID: s.ID, Code: broker.CodeOutcomeUnknown})
		c.reload()
	default:
		c.w.stored()
	}
}

func (c *crowd) reload() {
	s, _ := c.w.m.Group("g")
	c.w.step(Load{Group: "g", State: s})
}

// failOver starts a new coordinator; what the old one was storing may still arrive at any time.
func (c *crowd) failOver() {
	c.w.step(Close{})
	if len(c.w.waiters) != 0 {
		c.t.Fatalf("closed, and %v were not answered", c.w.waiters)
	}
	c.late = append(c.late, c.w.stores...)
	c.w.stores = nil
	c.w.c = NewCoordinator(c.w.config)
	c.reload()
}

func (c *crowd) lateStoreArrives() {
	if len(c.late) == 0 {
		return
	}
	c.w.propose(c.late[0])
	c.late = c.late[1:]
}

func (c *crowd) pass(ms int64) {
	end := c.w.now + ms
	for {
		at, ok := c.w.c.NextDeadline()
		if !ok || at > end {
			break
		}
		c.w.now = max(c.w.now, at)
		c.w.step(Tick{})
		if rapid.Bool().Draw(c.t, "store meanwhile") {
			c.storeEnds()
		}
	}
	c.w.now = end
}

// check looks at the live group from inside.
func (c *crowd) check() {
	for _, g := range c.w.c.groups {
		if g.lost {
			continue
		}
		if len(g.members) > 0 && g.byID[g.leader] == nil {
			c.t.Fatalf("the leader is nobody:\n%s", g.dump())
		}
		if len(g.members) != len(g.byID) || (g.state == broker.GroupEmpty) && len(g.members) > 0 {
			c.t.Fatalf("members and state disagree:\n%s", g.dump())
		}
		// While a rebalance is prepared only those who wait count; of the two static members, neither needs to.
		waiting := 0
		for _, m := range g.members {
			if m.join != nil {
				waiting++
			}
		}
		if waiting > c.w.config.MembersMax || g.state != broker.GroupPreparing && len(g.members) > c.w.config.MembersMax+2 {
			c.t.Fatalf("too many members:\n%s", g.dump())
		}
		for _, m := range g.members {
			if m.session.place == 0 && m.join == nil && m.sync == nil {
				c.t.Fatalf("nothing will ever expire %s:\n%s", m.ID, g.dump())
			}
			if m.sync != nil && g.state != broker.GroupCompleting {
				c.t.Fatalf("%s waits for an assignment in %s", m.ID, g.state)
			}
		}
		if g.state == broker.GroupPreparing && g.phase.place == 0 {
			c.t.Fatalf("nothing ends the join phase:\n%s", g.dump())
		}
	}
}

func TestRandomEventsKeepThePromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrowd(t)
		for range rapid.IntRange(50, 300).Draw(t, "events") {
			switch rapid.IntRange(0, 15).Draw(t, "event") {
			case 0, 1, 2, 3:
				c.join()
			case 4, 5, 6:
				c.sync()
			case 7:
				c.w.step(Heartbeat{Waiter: c.w.waiter(c.request("heartbeat")), Member: c.claim()})
			case 8:
				m := c.claim()
				c.w.step(Leave{Waiter: c.w.waiter(c.request("leave")), Group: "g", Members: []broker.LeavingMember{{MemberID: m.MemberID, InstanceID: m.InstanceID}}})
			case 9:
				c.commit()
			case 10:
				c.commitArrives()
			case 11, 12, 13:
				c.storeEnds()
			case 14:
				c.pass(int64(rapid.IntRange(0, 12_000).Draw(t, "ms")))
			case 15:
				switch rapid.IntRange(0, 3).Draw(t, "fail over") {
				case 0:
					c.failOver()
				case 1:
					c.lateStoreArrives()
				}
			}
			c.check()
		}
		// Eventually: when stores succeed and time passes, everyone is answered, and a group that nobody tends is empty.
		c.w.manual = false
		for len(c.w.stores) > 0 {
			c.w.stored()
		}
		for range 20 {
			c.pass(NewMemberJoinTimeout)
		}
		if len(c.w.waiters) != 0 {
			t.Fatalf("never answered: %v\n%s", c.w.waiters, c.w.c.Dump())
		}
		for _, g := range c.w.c.groups {
			if len(g.members) != 0 {
				t.Fatalf("members that nobody heard of for hours:\n%s", g.dump())
			}
		}
	})
}
