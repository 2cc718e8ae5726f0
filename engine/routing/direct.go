package routing

// directMatcher has the destinations of every binding key.
type directMatcher map[string]*counted

func (x directMatcher) add(b *Binding) {
	if x[b.Key] == nil {
		x[b.Key] = &counted{}
	}
	x[b.Key].add(b.Destination)
}

func (x directMatcher) remove(b *Binding) {
	x[b.Key].remove(b.Destination)
	if x[b.Key].empty() {
		delete(x, b.Key)
	}
}

func (x directMatcher) match(m *Message, w *Walk) {
	for i := 0; ; i++ {
		k, ok := m.key(i)
		if !ok {
			return
		}
		if c := x[k]; c != nil {
			c.all(w)
		}
	}
}
