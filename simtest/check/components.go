package check

// components finds the strongly connected sets of a graph's nodes by Tarjan's
// algorithm, without recursion. It returns for each node the number of its set, and
// how many nodes each set has.
func (g *graph) components() (set []int32, size []int32) {
	n := g.nodes()
	t := &tarjan{graph: g, set: make([]int32, n), number: make([]int32, n), low: make([]int32, n), next: make([]int32, n)}
	for i := range t.set {
		t.set[i], t.number[i] = none, none
	}
	for i := int32(0); i < n; i++ {
		if t.number[i] == none {
			t.from(i)
		}
	}
	return t.set, t.size
}

// tarjan is the algorithm's state.
type tarjan struct {
	*graph
	set, number, low, next []int32 // of each node; next counts the edges that were followed
	open, path             []int32
	count                  int32
	size                   []int32
}

// from visits everything that can be reached from a node.
func (t *tarjan) from(root int32) {
	t.enter(root)
	for len(t.path) > 0 {
		v := t.path[len(t.path)-1]
		if edges := t.graph.from(v); int(t.next[v]) < len(edges) {
			w := edges[t.next[v]].to
			t.next[v]++
			if t.number[w] == none {
				t.enter(w)
			} else if t.set[w] == none {
				t.low[v] = min(t.low[v], t.number[w])
			}
			continue
		}
		t.leave(v)
	}
}

func (t *tarjan) enter(v int32) {
	t.number[v], t.low[v] = t.count, t.count
	t.count++
	t.open = append(t.open, v)
	t.path = append(t.path, v)
}

// leave closes a node, and its set when the node was the first of it to be visited.
func (t *tarjan) leave(v int32) {
	t.path = t.path[:len(t.path)-1]
	if len(t.path) > 0 {
		p := t.path[len(t.path)-1]
		t.low[p] = min(t.low[p], t.low[v])
	}
	if t.low[v] != t.number[v] {
		return
	}
	size := int32(0)
	for {
		w := t.open[len(t.open)-1]
		t.open = t.open[:len(t.open)-1]
		t.set[w] = int32(len(t.size))
		size++
		if w == v {
			break
		}
	}
	t.size = append(t.size, size)
}
