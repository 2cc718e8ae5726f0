package check

// trail remembers the last event of each session in each partition.
type trail struct {
	x    *index
	last map[int64]int32
	mine [][]int32 // of each session, the partitions it has an event in
}

func newTrail(x *index) *trail {
	return &trail{x, map[int64]int32{}, make([][]int32, x.sessions)}
}

// key is a session and a partition.
func (t *trail) key(op, partition int32) int64 {
	return int64(t.x.session[op])<<32 | int64(partition)
}

// get returns the last event of an operation's session, or none.
func (t *trail) get(op, partition int32) int32 {
	if e, ok := t.last[t.key(op, partition)]; ok {
		return e
	}
	return none
}

// set notes an event.
func (t *trail) set(op, partition, event int32) {
	k := t.key(op, partition)
	if _, ok := t.last[k]; !ok {
		t.mine[t.x.session[op]] = append(t.mine[t.x.session[op]], partition)
	}
	t.last[k] = event
}

// keep forgets all partitions of an operation's session but the named.
func (t *trail) keep(op int32, names []string) {
	kept := map[int32]bool{}
	for _, name := range names {
		if n, ok := t.x.numbers[name]; ok {
			kept[n] = true
		}
	}
	s := t.x.session[op]
	var rest []int32
	for _, p := range t.mine[s] {
		if kept[p] {
			rest = append(rest, p)
		} else {
			delete(t.last, t.key(op, p))
		}
	}
	t.mine[s] = rest
}
