package check

import (
	"cmp"
	"slices"
)

// relation is why one operation came before another; a set of them is their sum.
type relation uint8

const (
	writeWrite relation = 1 << iota // its record is the next in a partition
	writeRead                       // it was given a record of the other
	readWrite                       // its record is next after the last that the other was given
	process                         // of one process, one ended before the other began
	realtime                        // one ended before the other began
	passing    relation = 0         // on the way over moments, see moments
)

// edge leads from an operation to one that came after it. Its event tells why.
type edge struct {
	from, to int32
	kind     relation
	event    int32
}

// graph is edges by where they begin. Nodes below ops are operations; the others are moments.
type graph struct {
	ops   int32
	edges []edge
	first []int32 // of each node, and one more
}

func newGraph(nodes, ops int32, edges []edge) *graph {
	g := &graph{ops: ops, first: make([]int32, nodes+1), edges: make([]edge, len(edges))}
	for _, e := range edges {
		g.first[e.from+1]++
	}
	for i := int32(0); i < nodes; i++ {
		g.first[i+1] += g.first[i]
	}
	next := slices.Clone(g.first)
	for _, e := range edges {
		g.edges[next[e.from]] = e
		next[e.from]++
	}
	return g
}

// from returns the edges that begin at a node.
func (g *graph) from(node int32) []edge { return g.edges[g.first[node]:g.first[node+1]] }

// nodes is how many there are.
func (g *graph) nodes() int32 { return int32(len(g.first) - 1) }

// relations returns the graph of the operations that in says, by the relations of a set.
func (c *checker) relations(kinds relation, in func(op int32) bool) *graph {
	var edges []edge
	add := func(from, to int32, kind relation, event int32) {
		if from != to && in(from) && in(to) {
			edges = append(edges, edge{from, to, kind, event})
		}
	}
	if kinds&writeRead != 0 {
		c.writeReads(add)
	}
	if kinds&writeWrite != 0 {
		c.writeWrites(add)
	}
	if kinds&readWrite != 0 {
		c.readWrites(add)
	}
	nodes := int32(len(c.index.ops))
	var timed []int32
	for i := range c.index.ops {
		if c.index.ops[i].timed() && in(int32(i)) {
			timed = append(timed, int32(i))
		}
	}
	if kinds&realtime != 0 {
		edges, nodes = c.moments(edges, nodes, timed, realtime)
	}
	if kinds&process != 0 {
		by := map[int32][]int32{}
		for _, op := range timed {
			by[c.index.session[op]] = append(by[c.index.session[op]], op)
		}
		for _, s := range sortedKeys(by) {
			edges, nodes = c.moments(edges, nodes, by[s], process)
		}
	}
	return newGraph(nodes, int32(len(c.index.ops)), edges)
}

// writeReads adds who was given whose values.
func (c *checker) writeReads(add func(from, to int32, kind relation, event int32)) {
	for i := range c.index.events {
		e := &c.index.events[i]
		if s := c.index.values[e.value].sender; e.poll && s != none && !c.index.ops[e.op].Uncommitted {
			add(c.index.events[s].op, e.op, writeRead, int32(i))
		}
	}
}

// writer returns the operation that sent what an entry holds, or none.
func (c *checker) writer(n *entry) int32 {
	if s := c.index.values[c.index.events[n.event].value].sender; s != none && n.committed {
		return c.index.events[s].op
	}
	return none
}

// writeWrites adds whose values are neighbours.
func (c *checker) writeWrites(add func(from, to int32, kind relation, event int32)) {
	for i := range c.index.logs {
		before := none
		for j := range c.index.logs[i].entries {
			n := &c.index.logs[i].entries[j]
			w := c.writer(n)
			if w == none {
				continue
			}
			if before != none {
				add(before, w, writeWrite, n.event)
			}
			before = w
		}
	}
}

// readWrites adds who sent the value after the last that an operation was given.
func (c *checker) readWrites(add func(from, to int32, kind relation, event int32)) {
	for i := range c.index.ops {
		last := map[int32]int64{}
		for _, e := range c.index.of(int32(i)) {
			if before, ok := last[e.partition]; e.poll && e.offset >= 0 && (!ok || e.offset > before) {
				last[e.partition] = e.offset
			}
		}
		for _, p := range sortedKeys(last) {
			l := &c.index.logs[p]
			for j := l.at(last[p] + 1); j < len(l.entries); j++ {
				if w := c.writer(&l.entries[j]); w != none {
					add(int32(i), w, readWrite, l.entries[j].event)
					break
				}
			}
		}
	}
}

// moments adds who ended before whom began, in linear space: each end is a node, from
// which a way leads over the later ones to all that began after it. An operation of
// unknown outcome does not end.
func (c *checker) moments(edges []edge, nodes int32, ops []int32, kind relation) ([]edge, int32) {
	ended := slices.DeleteFunc(slices.Clone(ops), func(op int32) bool { return c.index.ops[op].Outcome == Unknown })
	slices.SortStableFunc(ended, func(a, b int32) int { return cmp.Compare(c.index.ops[a].Return, c.index.ops[b].Return) })
	for i, op := range ended {
		at := nodes + int32(i)
		edges = append(edges, edge{op, at, passing, none})
		if i > 0 {
			edges = append(edges, edge{at - 1, at, passing, none})
		}
	}
	begun := slices.Clone(ops)
	slices.SortStableFunc(begun, func(a, b int32) int { return cmp.Compare(c.index.ops[a].Call, c.index.ops[b].Call) })
	before := 0
	for _, op := range begun {
		for before < len(ended) && c.index.ops[ended[before]].Return < c.index.ops[op].Call {
			before++
		}
		if before > 0 {
			edges = append(edges, edge{nodes + int32(before) - 1, op, kind, none})
		}
	}
	return edges, nodes + int32(len(ended))
}
