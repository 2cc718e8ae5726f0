package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/internal/invariant"
)

// Config is how a coordinator behaves; start from DefaultConfig.
type Config struct {
	InitialRebalanceDelay int64 // ms; how long the first rebalance of an empty group waits for more members; 0: not at all
	SessionTimeoutMin     int64 // ms
	SessionTimeoutMax     int64 // ms
	NewMemberJoinTimeout  int64 // ms; how long a new member's JoinGroup may wait before the member is dropped
	MembersMax            int
	StateBytesMax         int
}

// DefaultConfig has Kafka's values.
func DefaultConfig() Config {
	return Config{InitialRebalanceDelay: InitialRebalanceDelayDefault, SessionTimeoutMin: SessionTimeoutMin,
		SessionTimeoutMax: SessionTimeoutMax, NewMemberJoinTimeout: NewMemberJoinTimeout, MembersMax: MembersMax,
		StateBytesMax: StateBytesMax}
}

// Validate names the first setting that cannot work.
func (c Config) Validate() error {
	switch {
	case c.InitialRebalanceDelay < 0 || c.InitialRebalanceDelay > rebalanceTimeoutCeiling:
		return fmt.Errorf("group: initial rebalance delay %d ms: want 0..%d", c.InitialRebalanceDelay, rebalanceTimeoutCeiling)
	case c.SessionTimeoutMin <= 0 || c.SessionTimeoutMin > c.SessionTimeoutMax:
		return fmt.Errorf("group: session timeouts %d..%d ms: want 0 < min ≤ max", c.SessionTimeoutMin, c.SessionTimeoutMax)
	case c.NewMemberJoinTimeout <= 0:
		return fmt.Errorf("group: new member join timeout %d ms: want more than 0", c.NewMemberJoinTimeout)
	case c.MembersMax <= 0 || c.StateBytesMax <= 0 || c.StateBytesMax > StateBytesMax:
		return fmt.Errorf("group: members %d, state bytes %d: want more than 0, bytes at most %d", c.MembersMax, c.StateBytesMax, StateBytesMax)
	}
	return nil
}

// Coordinator is the volatile half of the groups of one shard's leader: who waits, who is late, what is being agreed.
// It is not safe for concurrent use.
type Coordinator struct {
	config Config
	now    int64
	groups map[string]*group
	alarms alarms
	stores uint64 // the last Store.ID
	out    []Effect
	closed broker.Code
}

// NewCoordinator makes the coordinator of a new leadership. Load every group of the applied state into it before the
// first request.
func NewCoordinator(c Config) *Coordinator {
	err := c.Validate()
	invariant.Check(err == nil, "%v", err)
	return &Coordinator{config: c, groups: make(map[string]*group)}
}

// Step handles one event at time now (ms; monotonic, of any origin) and says what to do. The effects are the caller's.
// Alarms fire only in a Tick: deliver requests that wait already before it, so that a pause of the process does not
// expire members whose heartbeats are in the queue.
func (c *Coordinator) Step(now int64, ev Event) []Effect {
	c.now = max(c.now, now)
	c.out = nil
	if c.closed != broker.CodeNone {
		c.refuse(ev, c.closed)
		return c.out
	}
	switch e := ev.(type) {
	case Load:
		c.load(e)
	case Join:
		c.join(e)
	case Sync:
		c.sync(e)
	case Heartbeat:
		c.heartbeat(e)
	case Leave:
		c.leave(e)
	case Commit:
		c.commit(e)
	case Stored:
		c.stored(e)
	case Deleted:
		c.deleted(e)
	case Tick:
		c.tick()
	case Close:
		c.close(e)
	default:
		invariant.Unreachable("group coordinator: event %T", ev)
	}
	return c.out
}

// NextDeadline is when the next Tick is due.
func (c *Coordinator) NextDeadline() (ms int64, ok bool) { return c.alarms.next() }

func (c *Coordinator) tick() {
	for {
		al, ok := c.alarms.due(c.now)
		if !ok {
			return
		}
		al.fire()
	}
}

func (c *Coordinator) close(e Close) {
	code := e.Code
	if code == broker.CodeNone {
		code = broker.CodeNotCoordinator
	}
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		c.groups[name].abandon(code)
	}
	c.closed, c.groups = code, nil
}

// refuse answers a request with an error, whatever it is.
func (c *Coordinator) refuse(ev Event, code broker.Code) {
	switch e := ev.(type) {
	case Join:
		c.fail(e.Waiter, code, "join group", e.Request.Group)
	case Sync:
		c.fail(e.Waiter, code, "sync group", e.Request.Group)
	case Heartbeat:
		c.fail(e.Waiter, code, "heartbeat", e.Member.Group)
	case Leave:
		c.fail(e.Waiter, code, "leave group", e.Group)
	case Commit:
		c.fail(e.Waiter, code, "commit offsets", e.Member.Group)
	}
}

func (c *Coordinator) emit(e Effect) { c.out = append(c.out, e) }

func (c *Coordinator) fail(w Waiter, code broker.Code, op, group string) {
	c.emit(Reply{Waiter: w, Err: refusal(code, op, group)})
}

// refusal is the one place where this package makes errors.
func refusal(code broker.Code, op, group string) *broker.Error {
	return broker.Refuse(code, op, fmt.Sprintf("group %q", group))
}

// find gives a group that may be asked; else the code that says why not.
func (c *Coordinator) find(name string) (*group, broker.Code) {
	if code := checkName(name); code != broker.CodeNone {
		return nil, code
	}
	g, ok := c.groups[name]
	if !ok {
		return nil, broker.CodeGroupNotFound
	}
	if g.lost {
		return nil, broker.CodeCoordinatorLoading
	}
	return g, broker.CodeNone
}

func checkName(name string) broker.Code {
	if name == "" || len(name) > NameBytesMax {
		return broker.CodeInvalidGroup
	}
	return broker.CodeNone
}

// String prints one line.
func (c *Coordinator) String() string {
	return fmt.Sprintf("coordinator now=%d groups=%d alarms=%d", c.now, len(c.groups), c.alarms.Len())
}

// Dump prints every live group.
func (c *Coordinator) Dump() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		b.WriteString(c.groups[name].dump())
	}
	return b.String()
}

// Describe is a live group as DescribeGroups shows it. False: not known here; the applied state may know it.
func (c *Coordinator) Describe(name string) (*broker.GroupDescription, bool) {
	g, ok := c.groups[name]
	if !ok || g.lost {
		return nil, false
	}
	d := &broker.GroupDescription{Group: name, State: g.state, ProtocolType: g.protocolType, Generation: g.generation}
	stable := g.state == broker.GroupStable
	if stable {
		d.Protocol = g.protocol
	}
	for _, m := range g.members {
		d.Members = append(d.Members, m.describe(g.protocol, stable))
	}
	return d, true
}

// List lists the live groups by name.
func (c *Coordinator) List() []broker.GroupListing {
	var out []broker.GroupListing
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		if g := c.groups[name]; !g.lost {
			out = append(out, broker.GroupListing{Group: name, ProtocolType: g.protocolType, State: g.state})
		}
	}
	return out
}
