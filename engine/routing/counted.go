package routing

// counted are destinations, with the number of bindings that lead to each. A fan-out may have a hundred thousand, which
// come and go one by one: past a few, they are found by an index.
type counted struct {
	list []countedDestination
	at   map[Destination]int // where each is in list, once there are many
}

type countedDestination struct {
	Destination
	bindings int
}

func (c *counted) index(d Destination) int {
	if c.at != nil {
		if i, ok := c.at[d]; ok {
			return i
		}
		return -1
	}
	for i := range c.list {
		if c.list[i].Destination == d {
			return i
		}
	}
	return -1
}

func (c *counted) add(d Destination) {
	if i := c.index(d); i >= 0 {
		c.list[i].bindings++
		return
	}
	c.list = append(c.list, countedDestination{d, 1})
	switch {
	case c.at != nil:
		c.at[d] = len(c.list) - 1
	case len(c.list) > countedListed:
		c.at = make(map[Destination]int, 2*len(c.list))
		for i, x := range c.list {
			c.at[x.Destination] = i
		}
	}
}

// remove takes one binding away, and with the last the destination: the one at the end gets its place.
func (c *counted) remove(d Destination) {
	i := c.index(d)
	c.list[i].bindings--
	if c.list[i].bindings > 0 {
		return
	}
	last := len(c.list) - 1
	c.list[i] = c.list[last]
	c.list[last] = countedDestination{}
	c.list = c.list[:last]
	if c.at != nil {
		delete(c.at, d)
		if i < last {
			c.at[c.list[i].Destination] = i
		}
	}
}

func (c *counted) empty() bool { return len(c.list) == 0 }

func (c *counted) all(w *Walk) {
	for i := range c.list {
		w.to(c.list[i].Destination)
	}
}
