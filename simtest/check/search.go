package check

import "slices"

// search looks for a way back to where an edge begins.
type search struct {
	*graph
	set  []int32
	kind cycleKind
}

// at is a node and what the way to it has had: the relations, and whether there was a
// second anti-dependency.
type at struct {
	node int32
	had  relation
	two  bool
}

// through returns the edges of a shortest cycle of the kind through an edge, or nil.
func (s *search) through(start edge) []edge {
	first := at{start.to, start.kind & s.kind.must, false}
	came := map[at]edge{first: start}
	before := map[at]at{}
	for queue := []at{first}; len(queue) > 0; queue = queue[1:] {
		here := queue[0]
		if here.node == start.from { // once around, and no further
			if here.had == s.kind.must && (here.two || !s.several()) {
				return s.back(came, before, here)
			}
			continue
		}
		for _, e := range s.from(here.node) {
			if s.set[e.to] != s.set[start.from] || s.kind.single && e.kind == readWrite {
				continue
			}
			next := at{e.to, here.had | e.kind&s.kind.must, here.two || e.kind == readWrite}
			if _, ok := came[next]; !ok {
				came[next], before[next] = e, here
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// several says that the kind needs a second anti-dependency.
func (s *search) several() bool { return s.kind.must&readWrite != 0 && !s.kind.single }

// back returns the edges by which a search came to a place.
func (s *search) back(came map[at]edge, before map[at]at, here at) []edge {
	var steps []edge
	for {
		steps = append(steps, came[here])
		earlier, ok := before[here]
		if !ok {
			slices.Reverse(steps)
			return steps
		}
		here = earlier
	}
}
