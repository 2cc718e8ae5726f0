package check

// assignments: no two members of one generation have the same partition.
//
//   - shared-assignment: they do.
func (c *checker) assignments() {
	type key struct {
		group      string
		generation int
		partition  string
	}
	owner := map[key]string{}
	for _, a := range c.h.Assignments {
		for _, p := range a.Partitions {
			k := key{a.Group, a.Generation, p}
			if o, ok := owner[k]; ok && o != a.Member {
				c.violation(SharedAssignment, a.Group, "generation %d gave %s to %s and to %s", a.Generation, p, o, a.Member)
				continue
			}
			owner[k] = a.Member
		}
	}
}

// replicas: at one index of a shard all replicas have one state.
//
//   - divergence: they have not.
func (c *checker) replicas() {
	type key struct {
		shard string
		index uint64
	}
	first := map[key]Digest{}
	for _, d := range c.h.Digests {
		k := key{d.Shard, d.Index}
		f, ok := first[k]
		if !ok {
			first[k] = d
			continue
		}
		if f.Sum != d.Sum {
			c.violation(Divergence, d.Shard, "at index %d replica %s has %016x and %s has %016x", d.Index, f.Replica, f.Sum, d.Replica, d.Sum)
		}
	}
}
