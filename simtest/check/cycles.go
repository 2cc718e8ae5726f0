package check

import (
	"fmt"
	"strings"
)

// cycleKind is a kind of cycle: by which relations it goes, which it must have, and
// whether anti-dependencies are counted.
type cycleKind struct {
	name     string
	by, must relation
	single   bool // exactly one anti-dependency
	reported bool
}

// cycleKinds returns the kinds that the options ask for, the worst first.
//
//   - G1c: operations were given each other's values. Who was given a value of
//     another came after it, so nobody can be both.
//   - G0: each sent a value that lies before one of the next. Writes are not isolated,
//     so it is reported only, and so is G1c with such a step.
//   - G-single: with one step from who had not yet been given a value to its sender;
//     G2: with several. A poll need not return all, so they are reported only.
//
// With -process or -realtime in the name a cycle also has a step from an operation to
// one that began after its end, in the same process or in any.
func cycleKinds(o Options) []cycleKind {
	kinds := []cycleKind{{name: ReadCycle, by: writeRead, must: writeRead}}
	if o.WWDeps {
		kinds = append(kinds,
			cycleKind{name: ReadCycle, by: writeRead | writeWrite, must: writeRead | writeWrite, reported: true},
			cycleKind{name: WriteCycle, by: writeWrite, must: writeWrite, reported: true})
	}
	if o.AntiDependencies {
		by := readWrite | writeRead
		if o.WWDeps {
			by |= writeWrite
		}
		kinds = append(kinds,
			cycleKind{name: SingleAntiCycle, by: by, must: readWrite, single: true, reported: true},
			cycleKind{name: AntiCycle, by: by, must: readWrite, reported: true})
	}
	var all []cycleKind
	for _, k := range kinds {
		p, r := k, k
		p.name, p.by, p.must = k.name+inProcess, k.by|process, k.must|process
		r.name, r.by, r.must = k.name+inRealtime, k.by|realtime, k.must|realtime
		all = append(all, k, p, r)
	}
	return all
}

// cycles looks for each kind of cycle, one in each set of operations that are on
// cycles with each other.
func (c *checker) cycles() {
	kinds := cycleKinds(c.options)
	var by relation
	for _, k := range kinds {
		by |= k.by
	}
	by &^= process // which is a part of realtime
	set, size := c.relations(by, func(int32) bool { return true }).components()
	on := func(op int32) bool { return size[set[op]] > 1 }
	any := false
	for i := range c.index.ops {
		any = any || on(int32(i))
	}
	if !any {
		return
	}
	for _, k := range kinds {
		c.cyclesOf(k, c.relations(k.by, on))
	}
}

// cyclesOf looks for one kind of cycle in a graph of its relations.
func (c *checker) cyclesOf(k cycleKind, g *graph) {
	set, size := g.components()
	// The rarest relation that it must have is where to begin.
	begin := k.must
	for _, r := range []relation{process, realtime, readWrite, writeWrite, writeRead} {
		if k.must&r != 0 {
			begin = r
			break
		}
	}
	if k.must&readWrite != 0 {
		begin = readWrite
	}
	done, tried := map[int32]bool{}, map[int32]int{}
	s := &search{graph: g, set: set, kind: k}
	for _, e := range g.edges {
		in := set[e.to]
		if e.kind != begin || set[e.from] != in || size[in] < 2 || done[in] || tried[in] >= cycleStartsMax {
			continue
		}
		tried[in]++
		if steps := s.through(e); steps != nil {
			done[in] = true
			c.cycle(k, steps)
		}
	}
}

// cycle tells of one.
func (c *checker) cycle(k cycleKind, steps []edge) {
	var told []string
	ops := int32(len(c.index.ops))
	for i, e := range steps {
		if e.kind == passing {
			continue
		}
		from := e.from
		for j := i; from >= ops; { // back over the moments to who ended
			j = (j + len(steps) - 1) % len(steps)
			from = steps[j].from
		}
		told = append(told, c.stepText(from, e))
	}
	where := c.index.ops[steps[0].to].Process
	c.note(k.name, where, k.reported, "a cycle: %s", strings.Join(told, "; "))
}

// stepText tells why one operation came before another.
func (c *checker) stepText(from int32, e edge) string {
	a, b := c.operation(from), c.operation(e.to)
	switch e.kind {
	case writeWrite:
		return fmt.Sprintf("%s sent the record before %s of %s", a, c.who(e.event), b)
	case writeRead:
		return fmt.Sprintf("%s sent what %s was given: %s", a, b, c.who(e.event))
	case readWrite:
		return fmt.Sprintf("%s was not yet given %s of %s", a, c.who(e.event), b)
	case process:
		return fmt.Sprintf("%s ended before %s of the same process began", a, b)
	}
	return fmt.Sprintf("%s ended at %v, before %s began at %v", a, c.index.ops[from].Return, b, c.index.ops[e.to].Call)
}

// operation names an operation by its place in the history.
func (c *checker) operation(op int32) string {
	return fmt.Sprintf("operation %d (%s)", op, c.client(op))
}
