package check

import (
	"cmp"
	"slices"
	"sort"
)

// committed: a group's offset is a register. What is fetched was committed, and
// not overwritten before.
//
//   - phantom-committed-offset: a fetch returns an offset that nobody had tried to
//     commit when it returned.
//   - committed-offset-went-back: a fetch returns an offset whose commits had all been
//     overwritten by an acknowledged commit that began after they ended; or it returns
//     none after one was acknowledged; or it is lower than what an earlier fetch
//     returned and no commit of it is a documented rewind or had an unknown outcome.
//
// Offsets that a transaction commits are commits of its operation. A fetch that does
// not wait for transactions (Stable) need not see one that is just being closed.
func (c *checker) committed() {
	registers := map[register]*commits{}
	for _, m := range c.commitList() {
		k := register{m.Group, m.Partition}
		if registers[k] == nil {
			registers[k] = &commits{}
		}
		registers[k].all = append(registers[k].all, m)
	}
	fetches := map[register][]Fetch{}
	var order []register
	for _, f := range c.h.Fetches {
		k := register{f.Group, f.Partition}
		if fetches[k] == nil {
			order = append(order, k)
		}
		fetches[k] = append(fetches[k], f)
	}
	for _, k := range order {
		m := registers[k]
		if m == nil {
			m = &commits{}
		}
		m.sort()
		for _, f := range fetches[k] {
			c.fetched(k, f, m)
		}
		c.fetchesRise(k, fetches[k], m)
	}
}

// register is one group's offset of one partition.
type register struct{ group, partition string }

// String names it.
func (r register) String() string { return r.group + " " + r.partition }

// stored is a commit; one of a transaction can be visible late.
type stored struct {
	Commit
	late bool
}

// commitList returns all commits, also those of transactions.
func (c *checker) commitList() []stored {
	var list []stored
	for _, m := range c.h.Commits {
		list = append(list, stored{m, false})
	}
	for i := range c.h.Ops {
		o := &c.h.Ops[i]
		outcome := o.Outcome
		if c.index.committed[i] {
			outcome = OK
		}
		for _, p := range o.Offsets {
			m := Commit{Span: o.Span, Group: o.Group, Partition: p.Partition, Member: o.Member, Generation: o.Generation, Offset: p.Offset, Outcome: outcome}
			if o.Outcome == Unknown {
				m.Return = forever // it committed, but nobody was told when
			}
			list = append(list, stored{m, true})
		}
	}
	return list
}

// commits are those of one register, sorted for questions.
type commits struct {
	all      []stored
	byOffset map[int64][]stored // those that may have happened, by Call
	ended    [2]endings         // acknowledged: all; without those that may be late
}

// endings are acknowledged commits by Return, and for each prefix the latest two Calls
// of different offsets.
type endings struct {
	returns []Span
	latest  [][2]Commit
}

func (m *commits) sort() {
	m.byOffset = map[int64][]stored{}
	slices.SortStableFunc(m.all, func(a, b stored) int { return cmp.Compare(a.Call, b.Call) })
	for _, s := range m.all {
		if s.Outcome != Failed {
			m.byOffset[s.Offset] = append(m.byOffset[s.Offset], s)
		}
	}
	byReturn := slices.Clone(m.all)
	slices.SortStableFunc(byReturn, func(a, b stored) int { return cmp.Compare(a.Return, b.Return) })
	for _, s := range byReturn {
		if s.Outcome != OK || s.Return == forever {
			continue
		}
		m.ended[0].add(s.Commit)
		if !s.late {
			m.ended[1].add(s.Commit)
		}
	}
}

// add appends a commit that ended after those before.
func (e *endings) add(m Commit) {
	latest := [2]Commit{{Span: Span{Call: -1}}, {Span: Span{Call: -1}}}
	if n := len(e.latest); n > 0 {
		latest = e.latest[n-1]
	}
	switch {
	case m.Call >= latest[0].Call && m.Offset != latest[0].Offset:
		latest[0], latest[1] = m, latest[0]
	case m.Call >= latest[0].Call:
		latest[0] = m
	case m.Call > latest[1].Call && m.Offset != latest[0].Offset:
		latest[1] = m
	}
	e.returns = append(e.returns, m.Span)
	e.latest = append(e.latest, latest)
}

// over returns, of the commits that had ended before a fetch was called, one of
// another offset that was called last.
func (e *endings) over(f Fetch, offset int64) (Commit, bool) {
	n := sort.Search(len(e.returns), func(i int) bool { return e.returns[i].Return >= f.Call })
	if n == 0 {
		return Commit{}, false
	}
	l := e.latest[n-1]
	if l[0].Offset != offset {
		return l[0], true
	}
	return l[1], l[1].Call >= 0
}

// fetched judges one fetch against the commits of its register.
func (c *checker) fetched(k register, f Fetch, m *commits) {
	ended := &m.ended[0]
	if !f.Stable {
		ended = &m.ended[1]
	}
	over, any := ended.over(f, f.Offset)
	if f.Offset < 0 {
		if any {
			c.violation(OffsetWentBack, k.String(), "no offset was fetched after %s had committed %d", over.by(), over.Offset)
		}
		return
	}
	tried, possible := false, false
	for _, s := range m.byOffset[f.Offset] {
		if s.Call > f.Return {
			break
		}
		tried = true
		if s.Outcome == Unknown || s.late && !f.Stable || !any || s.Return >= over.Call {
			possible = true
			break
		}
	}
	switch {
	case !tried:
		c.violation(PhantomOffset, k.String(), "%d was fetched but never committed", f.Offset)
	case !possible:
		c.violation(OffsetWentBack, k.String(), "%d was fetched after %s had overwritten it by %d", f.Offset, over.by(), over.Offset)
	}
}

// by names who committed.
func (m Commit) by() string {
	if m.Member == "" {
		return "somebody"
	}
	return m.Member
}

// fetchesRise compares each fetch with the highest that had been answered before it.
func (c *checker) fetchesRise(k register, fetches []Fetch, m *commits) {
	told := slices.Clone(fetches)
	asked := slices.Clone(fetches)
	slices.SortStableFunc(asked, func(a, b Fetch) int { return cmp.Compare(a.Call, b.Call) })
	slices.SortStableFunc(told, func(a, b Fetch) int { return cmp.Compare(a.Return, b.Return) })
	highest := int64(-1)
	for _, f := range asked {
		for len(told) > 0 && told[0].Before(f.Span) {
			highest = max(highest, told[0].Offset)
			told = told[1:]
		}
		if f.Offset >= 0 && f.Offset < highest && !m.mayReturnTo(f) {
			c.violation(OffsetWentBack, k.String(), "%d was fetched after %d had been", f.Offset, highest)
		}
	}
}

// mayReturnTo says that somebody may have set the offset back on purpose or unawares.
func (m *commits) mayReturnTo(f Fetch) bool {
	return slices.ContainsFunc(m.byOffset[f.Offset], func(s stored) bool {
		return s.Call <= f.Return && (s.Rewind || s.Outcome == Unknown || s.Return == forever)
	})
}
