package check

// committed: a group's offset is a register. What is fetched was committed, and
// not overwritten before.
//
//   - phantom-committed-offset: a fetch returns an offset that nobody had tried to
//     commit when it returned.
//   - committed-offset-went-back: a fetch returns an offset whose commits had all been
//     overwritten, by an acknowledged commit that began after they ended, or by one
//     that an earlier fetch had seen; or it returns none after one was acknowledged; or
//     it is lower than what an earlier fetch returned and no commit of it is a
//     documented rewind or had an unknown outcome.
func (c *checker) committed() {
	type key struct{ group, partition string }
	commits, fetches := map[key][]Commit{}, map[key][]Fetch{}
	var keys []key
	for _, m := range c.h.Commits {
		k := key{m.Group, m.Partition}
		commits[k] = append(commits[k], m)
	}
	for _, f := range c.h.Fetches {
		k := key{f.Group, f.Partition}
		if fetches[k] == nil {
			keys = append(keys, k)
		}
		fetches[k] = append(fetches[k], f)
	}
	for _, k := range keys {
		for i, f := range fetches[k] {
			c.fetched(k.group+" "+k.partition, f, commits[k], fetches[k][:i])
		}
	}
}

// fetched judges one fetch against the commits of its register and the fetches
// before it.
func (c *checker) fetched(where string, f Fetch, commits []Commit, earlier []Fetch) {
	if f.Offset < 0 {
		for _, m := range commits {
			if m.Outcome == OK && m.Before(f.Span) {
				c.violation(OffsetWentBack, where, "no offset was fetched after %d had been committed", m.Offset)
				return
			}
		}
		return
	}
	tried, possible, rewound := false, false, false
	for _, m := range commits {
		if m.Offset != f.Offset || m.Outcome == Failed || m.Call > f.Return {
			continue
		}
		tried = true
		if m.Outcome == Unknown || !overwritten(m, f, commits) {
			possible = true
		}
		rewound = rewound || m.Rewind || m.Outcome == Unknown
	}
	switch {
	case !tried:
		c.violation(PhantomOffset, where, "%d was fetched but never committed", f.Offset)
		return
	case !possible:
		c.violation(OffsetWentBack, where, "%d was fetched after it had been overwritten", f.Offset)
		return
	}
	for _, e := range earlier {
		if e.Before(f.Span) && f.Offset < e.Offset && !rewound {
			c.violation(OffsetWentBack, where, "%d was fetched after %d had been", f.Offset, e.Offset)
			return
		}
	}
}

// overwritten says whether an acknowledged commit lies between m and the fetch.
func overwritten(m Commit, f Fetch, commits []Commit) bool {
	for _, o := range commits {
		if o.Outcome == OK && o.Offset != m.Offset && m.Before(o.Span) && o.Before(f.Span) {
			return true
		}
	}
	return false
}
