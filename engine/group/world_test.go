package group

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// world is a coordinator, the applied state it stores into, and the clients' waiting requests by name.
type world struct {
	t       failer
	onReply func(name string, r Reply)
	config  Config
	c       *Coordinator
	m       *Machine
	rows    *keyspace.Mem
	now     int64
	index   uint64
	waiters map[Waiter]string
	next    Waiter
	unique  int
	manual  bool // Stores wait for the verbs stored and store-fails
	stores  []Store
	late    []Store // of the coordinator before
	ids     map[string]broker.TopicID
	out     strings.Builder
}

// failer is what a test, a fuzz target and a rapid check have in common.
type failer interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newWorld(t failer) *world {
	c := DefaultConfig()
	return &world{t: t, config: c, c: NewCoordinator(c), m: NewMachine(), rows: &keyspace.Mem{}, waiters: make(map[Waiter]string),
		ids: map[string]broker.TopicID{"orders": {1}, "payments": {2}}}
}

func (w *world) waiter(name string) Waiter {
	w.next++
	w.waiters[w.next] = name
	return w.next
}

// apply applies a command at the present time and loads the machine anew, to see that rows and memory agree.
func (w *world) apply(msg command.Message) command.Message {
	w.index++
	out, dropped, err := w.m.Apply(nil, Context{Index: w.index, Clock: uint64(w.now)}, msg.AppendTo(nil), w.rows)
	if err != nil {
		w.t.Fatal(err)
	}
	w.commitRows()
	for _, g := range dropped {
		fmt.Fprintf(&w.out, "dropped %s\n", g)
		w.step(Deleted{Group: g})
	}
	r, err := command.Decode(out)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// commitRows commits what was written, and sees that rows and memory agree.
func (w *world) commitRows() {
	w.rows.Commit()
	again, err := LoadMachine(w.rows)
	if err != nil {
		w.t.Fatal(err)
	}
	if got, want := again.String()+again.Dump(), w.m.String()+w.m.Dump(); got != want {
		w.t.Fatalf("loaded from rows:\n%s\nin memory:\n%s", got, want)
	}
}

// step gives an event to the coordinator and carries its effects out.
func (w *world) step(ev Event) {
	for _, e := range w.c.Step(w.now, ev) {
		switch e := e.(type) {
		case Reply:
			name, ok := w.waiters[e.Waiter]
			if !ok {
				w.t.Fatalf("waiter %d answered twice or never asked: %+v", e.Waiter, e)
			}
			delete(w.waiters, e.Waiter)
			if w.onReply != nil {
				w.onReply(name, e)
			}
			fmt.Fprintf(&w.out, "%s: %s\n", name, replyString(e))
		case Store:
			fmt.Fprintf(&w.out, "store %v\n", e.State.Phase)
			w.stores = append(w.stores, e)
			if !w.manual {
				w.stored()
			}
		}
	}
}

func (w *world) propose(s Store) *command.GroupResult {
	return w.apply(&command.GroupStore{Group: s.State.Group, Generation: s.State.Generation, ExpectedVersion: s.Expect,
		State: s.State.AppendTo(nil)}).(*command.GroupResult)
}

func (w *world) stored() {
	s := w.stores[0]
	w.stores = w.stores[1:]
	r := w.propose(s)
	w.step(Stored{Group: s.State.Group, ID: s.ID, Version: r.Version, Code: r.Code})
}

func replyString(r Reply) string {
	switch {
	case r.Err != nil:
		s := broker.CodeOf(r.Err).String()
		if e := r.Err.(*broker.Error); e.MemberID != "" {
			s += " " + e.MemberID
		}
		return s
	case r.Joined != nil:
		j := r.Joined
		s := fmt.Sprintf("joined generation=%d protocol=%s leader=%s me=%s", j.Generation, j.Protocol, j.LeaderID, j.MemberID)
		if j.SkipAssignment {
			s += " skip-assignment"
		}
		for _, m := range j.Members {
			s += fmt.Sprintf("\n    %s", m.MemberID)
			if m.InstanceID != "" {
				s += " instance=" + m.InstanceID
			}
			s += fmt.Sprintf(" metadata=%q", m.Metadata)
		}
		return s
	case r.Synced != nil:
		return fmt.Sprintf("synced protocol=%s assignment=%q", r.Synced.Protocol, r.Synced.Assignment)
	case r.Left != nil:
		var s []string
		for _, err := range r.Left {
			s = append(s, broker.CodeOf(err).String())
		}
		return "left " + strings.Join(s, " ")
	}
	return "ok"
}

// args reads key=value arguments; bare words are true.
type args map[string]string

func (a args) millis(key string, def int64) time.Duration {
	if v, ok := a[key]; ok {
		d, err := time.ParseDuration(v)
		if err != nil {
			panic(err)
		}
		return d
	}
	return time.Duration(def) * time.Millisecond
}

func (a args) number(key string, def int64) int64 {
	if v, ok := a[key]; ok {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	return def
}

func (a args) member(group string) broker.GroupMember {
	return broker.GroupMember{Client: broker.Client{ID: a["client"], Address: "host:1"}, Group: group, MemberID: a["member"],
		InstanceID: a["instance"], Generation: broker.Generation(a.number("generation", -1))}
}

func (w *world) run(d *datadriven.TestData) string {
	w.out.Reset()
	a := args{}
	for _, arg := range d.CmdArgs {
		a[arg.Key] = strings.Join(arg.Vals, ",")
	}
	group := "g"
	if v, ok := a["group"]; ok {
		group = v
	}
	switch d.Cmd {
	case "coordinator": // a new one, with settings
		w.config.InitialRebalanceDelay = a.millis("delay", w.config.InitialRebalanceDelay).Milliseconds()
		w.config.MembersMax = int(a.number("members", int64(w.config.MembersMax)))
		w.manual = a["stores"] == "manual"
		w.c = NewCoordinator(w.config)
	case "fail-over": // another node leads now, and knows what is applied
		w.step(Close{})
		w.late, w.stores = w.stores, nil
		w.c = NewCoordinator(w.config)
		for _, s := range w.m.Groups() {
			w.step(Load{Group: s.Group, State: s})
		}
	case "late-store": // of the coordinator before, arriving now
		fmt.Fprintf(&w.out, "%v\n", w.propose(w.late[0]).Code)
	case "reload":
		s, _ := w.m.Group(group)
		w.step(Load{Group: group, State: s})
	case "join":
		r := &broker.JoinGroup{GroupMember: a.member(group), ProtocolType: "consumer", SessionTimeout: a.millis("session", 10_000),
			RebalanceTimeout: a.millis("rebalance", 60_000), RequireKnownMember: a["known"] != "no", CanSkipAssignment: a["skip"] != "no"}
		if v, ok := a["type"]; ok {
			r.ProtocolType = v
		}
		for _, p := range strings.Fields(strings.ReplaceAll(a["protocols"], ",", " ")) {
			name, metadata, _ := strings.Cut(p, ":")
			r.Protocols = append(r.Protocols, broker.GroupProtocol{Name: name, Metadata: []byte(metadata)})
		}
		w.unique++
		w.step(Join{Waiter: w.waiter(a["as"]), Request: r, Unique: fmt.Sprintf("u%d", w.unique)})
	case "sync":
		r := &broker.SyncGroup{GroupMember: a.member(group), Protocol: a["protocol"], ProtocolType: a["type"]}
		for line := range strings.Lines(d.Input) {
			id, share, _ := strings.Cut(strings.TrimSpace(line), " ")
			r.Assignments = append(r.Assignments, broker.MemberAssignment{MemberID: id, Assignment: []byte(share)})
		}
		w.step(Sync{Waiter: w.waiter(a["as"]), Request: r})
	case "heartbeat":
		w.step(Heartbeat{Waiter: w.waiter(a["as"]), Member: a.member(group)})
	case "leave":
		var ms []broker.LeavingMember
		for line := range strings.Lines(d.Input) {
			id, instance, _ := strings.Cut(strings.TrimSpace(line), "/")
			ms = append(ms, broker.LeavingMember{MemberID: id, InstanceID: instance})
		}
		w.step(Leave{Waiter: w.waiter(a["as"]), Group: group, Members: ms})
	case "commit": // both fences, one after the other
		before := len(w.out.String())
		w.step(Commit{Waiter: w.waiter(a["as"]), Member: a.member(group)})
		if strings.HasSuffix(w.out.String()[before:], ": ok\n") {
			w.commit(a, group)
		}
	case "commit-applies": // one that was let through before
		w.commit(a, group)
	case "stored":
		w.stored()
	case "store-fails":
		s := w.stores[0]
		w.stores = w.stores[1:]
		if a["but"] == "applied" {
			w.propose(s)
		}
		w.step(Stored{Group: s.State.Group, ID: s.ID, Code: broker.CodeOutcomeUnknown})
	case "wait":
		end := w.now + a.millis("for", 0).Milliseconds()
		for {
			at, ok := w.c.NextDeadline()
			if !ok || at > end {
				break
			}
			w.now = max(w.now, at)
			fmt.Fprintf(&w.out, "at %dms\n", w.now)
			w.step(Tick{})
		}
		w.now = end
	case "sweep":
		c := &command.GroupSweep{Budget: uint32(a.number("budget", 100)), OffsetsRetentionMs: a.millis("retention", 7*24*3600_000).Milliseconds()}
		if v, ok := a["deleted"]; ok {
			c.DeletedTopics = []broker.TopicID{w.ids[v]}
		}
		r := w.apply(c).(*command.GroupResult)
		fmt.Fprintf(&w.out, "%v more=%d\n", r.Code, r.Version)
	case "delete":
		r := w.apply(&command.GroupDelete{Group: group}).(*command.GroupResult)
		fmt.Fprintf(&w.out, "%v\n", r.Code)
	case "delete-offset":
		r := w.apply(&command.OffsetDelete{Group: group, Offsets: []command.OffsetDeleteItem{{TopicID: w.ids[a["topic"]],
			Topic: a["topic"], Partition: int32(a.number("partition", 0))}}}).(*command.OffsetResult)
		fmt.Fprintf(&w.out, "%v %v\n", r.Code, r.Codes)
	case "fetch":
		var ps []broker.TopicPartition
		if v, ok := a["topic"]; ok {
			ps = []broker.TopicPartition{{Topic: v, Partition: int32(a.number("partition", 0))}}
		}
		for _, o := range w.m.Fetch(group, ps, func(t string) (broker.TopicID, bool) { id, ok := w.ids[t]; return id, ok }) {
			fmt.Fprintf(&w.out, "%s-%d: %d epoch=%d %q\n", o.Topic, o.Partition, o.Offset, o.Epoch, o.Metadata)
		}
	case "grant", "decide", "offer", "unstable":
		w.transact(d.Cmd, a, group)
	case "describe":
		w.out.WriteString(w.c.Dump())
	case "applied":
		w.out.WriteString(w.m.Dump())
	case "waiting":
		var names []string
		for _, n := range w.waiters {
			names = append(names, n)
		}
		slices.Sort(names)
		fmt.Fprintln(&w.out, strings.Join(names, " "))
	default:
		d.Fatalf(w.t.(*testing.T), "unknown verb %s", d.Cmd)
	}
	if w.out.Len() == 0 {
		return "nothing\n"
	}
	return w.out.String()
}

func (w *world) commit(a args, group string) {
	m := a.member(group)
	topic := a["topic"]
	if topic == "" {
		topic = "orders"
	}
	r := w.apply(&command.OffsetCommit{Group: group, Member: m.MemberID, Instance: m.InstanceID, Generation: m.Generation,
		RetentionMs: a.millis("retention", -1).Milliseconds(), Offsets: []command.OffsetCommitItem{{TopicID: w.ids[topic], Topic: topic,
			Partition: int32(a.number("partition", 0)), Offset: broker.Offset(a.number("offset", 0)), LeaderEpoch: -1, Metadata: a["metadata"]}}}).(*command.OffsetResult)
	fmt.Fprintf(&w.out, "applied: %v %v\n", r.Code, r.Codes)
}

func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { w.t = t; return w.run(d) })
	})
}
