package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// The model is a correct broker whose clients' calls overlap: transactions are open
// while others write, end in any way, and become visible shard by shard; members of a
// group read, write and commit; retention and compaction run. All that its clients
// see is a history that a correct system can produce.
type model struct {
	rng    *rand.Rand
	now    time.Duration
	h      History
	logs   []*modelLog
	late   []func() // effects that come after their client was answered, or gave up
	values int

	generation int
	offsets    map[string]int64    // the group's
	pending    map[string]*decided // partitions whose offset a transaction is setting
	commitsOf  int64               // what a plain group committed last
	tried      int64               // or tried to
}

// modelLog is one partition.
type modelLog struct {
	name, shard string
	records     []modelRecord
	start       int64
	compacted   bool
}

// modelRecord is one offset; a marker has no value.
type modelRecord struct {
	value, key string
	of         *decided
	gone       bool
}

// decided is a transaction: what was decided, and on which shards that is known.
type decided struct {
	over, commit bool
	closed       map[string]bool
	offsets      []Position
}

// group is the shard of the group's offsets.
const groupShard = "s0"

func newModel(seed uint64) *model {
	m := &model{rng: rand.New(rand.NewPCG(seed, 2)), offsets: map[string]int64{}, pending: map[string]*decided{}}
	m.h.Shards = map[string]string{}
	for i := range 6 {
		l := &modelLog{name: fmt.Sprintf("t/%d", i), shard: fmt.Sprintf("s%d", i%2), compacted: i == 5}
		m.logs = append(m.logs, l)
		m.h.Shards[l.name] = l.shard
	}
	m.h.Compacted = []string{"t/5"}
	return m
}

func (m *model) tick() time.Duration { m.now += time.Duration(1 + m.rng.IntN(10)); return m.now }

func (m *model) chance(percent int) bool { return m.rng.IntN(100) < percent }

func (m *model) value() string { m.values++; return fmt.Sprintf("v%d", m.values) }

// state says whether a record is undecided for its readers, and whether they see it.
func (l *modelLog) state(r *modelRecord) (open, visible bool) {
	switch {
	case r.value == "" || r.gone:
		return false, false
	case r.of == nil:
		return false, true
	}
	closed := r.of.closed[l.shard]
	return !closed, closed && r.of.commit
}

// stable is the last stable offset.
func (l *modelLog) stable() int64 {
	for i := l.start; i < int64(len(l.records)); i++ {
		if open, _ := l.state(&l.records[i]); open {
			return i
		}
	}
	return int64(len(l.records))
}

func (l *modelLog) append(r modelRecord) int64 {
	l.records = append(l.records, r)
	return int64(len(l.records) - 1)
}

// read returns up to n records from a position, and the position after them.
func (l *modelLog) read(from int64, n int, uncommitted bool) ([]Mop, int64) {
	end := l.stable()
	if uncommitted {
		end = int64(len(l.records))
	}
	from = max(from, l.start)
	var mops []Mop
	for ; from < end && len(mops) < n; from++ {
		r := &l.records[from]
		if _, visible := l.state(r); visible || uncommitted && r.value != "" && !r.gone {
			mops = append(mops, Mop{Poll: true, Partition: l.name, Offset: from, Value: r.value})
		}
	}
	return mops, max(from, l.start)
}

// decide ends a transaction; shards hear of it now or later.
func (m *model) decide(d *decided, commit bool) {
	if d.over {
		return
	}
	d.over, d.commit = true, commit
	for _, shard := range []string{"s0", "s1"} {
		closing := func() { m.close(d, shard) }
		if m.chance(30) {
			m.late = append(m.late, closing)
		} else {
			closing()
		}
	}
}

func (m *model) close(d *decided, shard string) {
	if d.closed[shard] {
		return
	}
	d.closed[shard] = true
	for _, l := range m.logs {
		if l.shard == shard && slices.ContainsFunc(l.records, func(r modelRecord) bool { return r.of == d }) {
			l.append(modelRecord{})
		}
	}
	if shard != groupShard {
		return
	}
	for _, p := range d.offsets {
		if d.commit {
			m.offsets[p.Partition] = p.Offset
		}
		delete(m.pending, p.Partition)
	}
}

// actor does one step of a client, and says whether it is idle after it.
type actor func() (idle bool)

// cleanOps runs a model.
func cleanOps(seed uint64, steps int) *History {
	m := newModel(seed)
	var actors []actor
	for i := range 3 {
		actors = append(actors, m.sender(fmt.Sprintf("p%d", i)))
		actors = append(actors, m.transactor(fmt.Sprintf("x%d", i)))
	}
	for i := range 2 {
		actors = append(actors, m.member(fmt.Sprintf("m%d", i), i), m.reader(fmt.Sprintf("c%d", i), false))
	}
	actors = append(actors, m.reader("dirty", true), m.asker(), m.committer(), m.keeper())
	idle := make([]bool, len(actors))
	for range steps {
		i := m.rng.IntN(len(actors))
		idle[i] = actors[i]()
		if len(m.late) > 0 && m.chance(20) {
			m.settle(m.rng.IntN(len(m.late)))
		}
	}
	for i, a := range actors {
		for !idle[i] {
			idle[i] = a()
		}
	}
	for len(m.late) > 0 {
		m.settle(0)
	}
	m.final()
	return &m.h
}

func (m *model) settle(i int) {
	f := m.late[i]
	m.late = slices.Delete(m.late, i, i+1)
	m.tick()
	f()
}

// sender sends one record at a time, without a transaction.
func (m *model) sender(name string) actor {
	var o *Op
	var l *modelLog
	return func() bool {
		if o == nil {
			l = m.logs[m.rng.IntN(len(m.logs))]
			o = &Op{Span: Span{Call: m.tick()}, Process: name, Kind: KindSend, Do: []Mop{{Partition: l.name, Offset: -1, Value: m.value(), Key: fmt.Sprint("k", m.rng.IntN(5))}}}
			return false
		}
		mop, to := &o.Do[0], l
		store := func() int64 { return to.append(modelRecord{value: mop.Value, key: mop.Key}) }
		switch n := m.rng.IntN(20); {
		case n == 0:
			o.Outcome = Failed
		case n == 1:
			o.Outcome = Unknown
			store()
		case n == 2: // nobody sends as this producer after it
			o.Outcome = Unknown
			m.late = append(m.late, func() { store() })
			name += "'"
		case n == 3:
			o.Outcome = Unknown
		default:
			mop.Offset = store()
		}
		o.Return = m.tick()
		m.h.Ops = append(m.h.Ops, *o)
		o = nil
		return true
	}
}

// transactor sends in transactions; it begins again under a new epoch when it does
// not know how one ended.
func (m *model) transactor(id string) actor {
	var o *Op
	var d *decided
	epoch, left := int64(0), 0
	return func() bool {
		switch {
		case o == nil:
			o = &Op{Span: Span{Call: m.tick()}, Process: id, Kind: KindTxn, TransactionalID: id, Epoch: epoch}
			d, left = &decided{closed: map[string]bool{}}, 1+m.rng.IntN(4)
			return false
		case left > 0:
			m.tick()
			left--
			l := m.logs[m.rng.IntN(len(m.logs))]
			mop := Mop{Partition: l.name, Value: m.value(), Key: fmt.Sprint("k", m.rng.IntN(5))}
			mop.Offset = l.append(modelRecord{value: mop.Value, key: mop.Key, of: d})
			o.Do = append(o.Do, mop)
			return false
		}
		m.end(o, d)
		if o.Outcome == Unknown && m.chance(50) {
			for i := range o.Do {
				o.Do[i].Offset = -1
			}
		}
		if o.Outcome == Unknown { // a new epoch ends what the old one left
			m.decide(d, m.chance(50))
			epoch++
			m.h.Epochs = append(m.h.Epochs, Epoch{Span{m.tick(), m.tick()}, id, epoch})
		}
		o = nil
		return true
	}
}

// end ends a transaction in some way and notes the operation.
func (m *model) end(o *Op, d *decided) {
	switch m.rng.IntN(10) {
	case 0, 1:
		m.decide(d, false)
		o.Outcome = Failed
	case 2:
		o.Outcome = Unknown
		m.decide(d, true)
	case 3:
		o.Outcome = Unknown
	default:
		m.decide(d, true)
	}
	o.Return = m.tick()
	m.h.Ops = append(m.h.Ops, *o)
}

// member reads t/0 and t/1 for a group and writes to t/2 and t/3, in transactions.
func (m *model) member(name string, number int) actor {
	var o *Op
	var d *decided
	generation, epoch := 0, int64(0)
	m.h.Ops = append(m.h.Ops, Op{Process: name, Kind: KindSubscribe, Partitions: []string{"t/0", "t/1"}})
	return func() bool {
		switch {
		case o != nil && m.chance(50):
			m.tick()
			return false
		case o != nil:
			m.leave(o, d, generation)
			if o.Outcome == Unknown {
				m.decide(d, m.chance(50))
				epoch++
				m.h.Epochs = append(m.h.Epochs, Epoch{Span{m.tick(), m.tick()}, name, epoch})
			}
			o = nil
			return true
		case m.chance(10): // a rebalance
			m.generation++
		}
		if generation != m.generation {
			generation = m.generation
			mine := []string{fmt.Sprintf("t/%d", (number+generation)%2)}
			m.h.Assignments = append(m.h.Assignments, Assignment{Group: "g", Generation: generation, Member: name, Partitions: mine, Span: Span{m.tick(), m.tick()}})
		}
		in := m.logs[(number+generation)%2]
		if m.pending[in.name] != nil { // the committed offset is not stable
			return true
		}
		o = &Op{Span: Span{Call: m.tick()}, Process: name, Kind: KindTxn, TransactionalID: name, Epoch: epoch, Group: "g", Member: name, Generation: generation}
		d = &decided{closed: map[string]bool{}}
		mops, next := in.read(m.offsets[in.name], 3, false)
		for _, mop := range mops {
			out := m.logs[2+m.rng.IntN(2)]
			sent := Mop{Partition: out.name, Value: m.value()}
			sent.Offset = out.append(modelRecord{value: sent.Value, of: d})
			o.Do = append(o.Do, mop, sent)
		}
		if len(mops) > 0 {
			o.Offsets = []Position{{in.name, next}}
		}
		return false
	}
}

// leave commits a member's offsets and transaction, unless the group has gone on.
func (m *model) leave(o *Op, d *decided, generation int) {
	if generation != m.generation || len(o.Offsets) > 0 && m.pending[o.Offsets[0].Partition] != nil {
		m.decide(d, false)
		o.Outcome, o.Return = Failed, m.tick()
		m.h.Ops = append(m.h.Ops, *o)
		return
	}
	for _, p := range o.Offsets {
		m.pending[p.Partition] = d
		d.offsets = append(d.offsets, p)
	}
	m.end(o, d)
}

// reader reads partitions that it assigns itself.
func (m *model) reader(name string, uncommitted bool) actor {
	at := map[int]int64{}
	var mine []int
	return func() bool {
		if len(mine) == 0 || m.chance(3) {
			mine = m.rng.Perm(len(m.logs))[:3]
			var names []string
			for i := range m.logs {
				if slices.Contains(mine, i) {
					names = append(names, m.logs[i].name)
				} else {
					delete(at, i)
				}
			}
			now := m.tick()
			m.h.Ops = append(m.h.Ops, Op{Span: Span{now, m.tick()}, Process: name, Kind: KindAssign, Partitions: names})
			return true
		}
		o := Op{Span: Span{Call: m.tick()}, Process: name, Kind: KindPoll, Uncommitted: uncommitted}
		for _, i := range mine {
			var mops []Mop
			mops, at[i] = m.logs[i].read(at[i], m.rng.IntN(5), uncommitted)
			o.Do = append(o.Do, mops...)
		}
		o.Return = m.tick()
		m.h.Ops = append(m.h.Ops, o)
		return true
	}
}

// asker asks for ends, starts and offsets.
func (m *model) asker() actor {
	return func() bool {
		l := m.logs[m.rng.IntN(len(m.logs))]
		call := m.tick()
		switch m.rng.IntN(4) {
		case 0:
			m.h.Ends = append(m.h.Ends, End{Span{call, m.tick()}, l.name, int64(len(l.records)), false})
		case 1:
			m.h.Ends = append(m.h.Ends, End{Span{call, m.tick()}, l.name, l.stable(), true})
		case 2:
			m.h.Starts = append(m.h.Starts, Start{Span{call, m.tick()}, l.name, l.start})
		default:
			in := m.logs[m.rng.IntN(2)].name
			offset, ok := m.offsets[in]
			if !ok {
				offset = -1
			}
			if m.pending[in] == nil {
				m.h.Fetches = append(m.h.Fetches, Fetch{Span{call, m.tick()}, "g", in, offset, true})
			}
		}
		return true
	}
}

// committer commits offsets of a group of its own, and asks for them.
func (m *model) committer() actor {
	return func() bool {
		span := Span{Call: m.tick()}
		if m.tried > 0 && m.chance(50) {
			span.Return = m.tick()
			m.h.Fetches = append(m.h.Fetches, Fetch{span, "plain", "t/0", m.commitsOf - 1, false})
			return true
		}
		m.tried++
		c := Commit{Group: "plain", Partition: "t/0", Member: "only", Generation: 1, Offset: m.tried - 1}
		if n := m.rng.IntN(10); n == 0 {
			c.Outcome = Failed
		} else if m.commitsOf = m.tried; n == 1 {
			c.Outcome = Unknown
		}
		span.Return = m.tick()
		c.Span = span
		m.h.Commits = append(m.h.Commits, c)
		return true
	}
}

// keeper is retention and compaction.
func (m *model) keeper() actor {
	return func() bool {
		l := m.logs[m.rng.IntN(len(m.logs))]
		if l.compacted {
			last := map[string]int64{}
			end := l.stable()
			for i := int64(0); i < end; i++ {
				if _, visible := l.state(&l.records[i]); visible {
					last[l.records[i].key] = i
				}
			}
			for i := int64(0); i < end; i++ {
				if r := &l.records[i]; r.value != "" && last[r.key] > i && m.chance(50) {
					r.gone = true
				}
			}
			return true
		}
		if m.chance(10) && l.name != "t/0" && l.name != "t/1" {
			l.start += int64(m.rng.IntN(int(l.stable()-l.start)/4 + 1))
		}
		return true
	}
}

// final reads everything.
func (m *model) final() {
	for _, l := range m.logs {
		o := Op{Span: Span{Call: m.tick()}, Process: "final", Kind: KindPoll, Final: true}
		o.Do, _ = l.read(0, 1<<30, false)
		o.Return = m.tick()
		m.h.Ops = append(m.h.Ops, o)
		m.h.Starts = append(m.h.Starts, Start{Span{m.tick(), m.tick()}, l.name, l.start})
		m.h.Drained = append(m.h.Drained, l.name)
	}
}
