package routing

import "slices"

// Message is what of a message can decide where it goes.
type Message struct {
	Key     string
	CC, BCC []string // further keys, out of the headers of these names
	Headers []Argument
	// What the argument hash-property may name, as text.
	CorrelationID, MessageID, Timestamp string
}

// key is the i-th routing key, the message's own first; ok is false past the last.
func (m *Message) key(i int) (key string, ok bool) {
	switch {
	case i == 0:
		return m.Key, true
	case i <= len(m.CC):
		return m.CC[i-1], true
	case i <= len(m.CC)+len(m.BCC):
		return m.BCC[i-1-len(m.CC)], true
	}
	return "", false
}

// Walk is what routing a message needs. Used again, it costs no allocation. The zero value is ready.
type Walk struct {
	topics  []TopicTarget   // found, each once
	queues  []string        // found, in any order, some perhaps twice
	visited []string        // exchanges, each once
	seen    map[string]bool // of visited, once those are many
	matched bool            // the exchange that is asked now has a binding that matches
	here    []*topicNode    // see topicMatcher
	there   []*topicNode
	stay    loops
}

// to is called for every destination that a binding leads to.
func (w *Walk) to(d Destination) {
	w.matched = true
	if d.Exchange {
		w.visit(d.Name)
	} else {
		w.queues = append(w.queues, d.Name)
	}
}

func (w *Walk) visit(name string) {
	if len(w.visited) < visitedListed {
		if !slices.Contains(w.visited, name) {
			w.visited = append(w.visited, name)
		}
		return
	}
	if w.seen == nil {
		w.seen = map[string]bool{}
		for _, v := range w.visited {
			w.seen[v] = true
		}
	}
	if !w.seen[name] {
		w.seen[name] = true
		w.visited = append(w.visited, name)
	}
}

// CanPublish says whether clients may publish to an exchange.
func (t *Topology) CanPublish(exchange string) error {
	x := t.exchanges[exchange]
	switch {
	case x == nil:
		return refuse(UnknownExchange, "no exchange '%s'", exchange)
	case x.Internal:
		return refuse(Forbidden, "cannot publish to internal exchange '%s'", exchange)
	}
	return nil
}

// Route returns the names of the queues that a message published to an exchange goes to, sorted, each once. They are
// good until the walk is used again. An exchange that is not there leads nowhere.
func (t *Topology) Route(w *Walk, exchange string, m *Message) []string {
	w.queues, w.topics, w.visited, w.seen = w.queues[:0], w.topics[:0], w.visited[:0], nil
	if exchange == "" {
		for i := 0; ; i++ {
			k, ok := m.key(i)
			if !ok {
				break
			}
			if t.queues[k] {
				w.queues = append(w.queues, k)
			}
		}
	} else {
		t.walk(w, exchange, m)
	}
	slices.Sort(w.queues)
	return slices.Compact(w.queues)
}

// walk visits every exchange that the message comes to, once.
func (t *Topology) walk(w *Walk, exchange string, m *Message) {
	w.visit(exchange)
	for i := 0; i < len(w.visited); i++ {
		x := t.exchanges[w.visited[i]]
		if x == nil {
			continue // an alternate exchange that is not there
		}
		w.matched = false
		x.matcher.match(m, w)
		if w.matched {
			continue
		}
		if alternate, ok := find(x.Arguments, argumentAlternate); ok {
			w.visit(alternate.Text)
		}
	}
}
