package routing

import (
	"slices"
	"strings"
)

// topicMatcher is a trie of patterns, a node for each word. Keys and patterns are words with dots between them: the
// empty one has none, "a..b" has an empty one in the middle. In a pattern * stands for a word, # for any number of them.
type topicMatcher struct {
	root topicNode
}

type topicNode struct {
	words map[string]*topicNode
	star  *topicNode
	hash  *topicNode
	to    counted // the patterns that end here
}

// words are those of a pattern.
func words(pattern string) []string {
	if pattern == "" {
		return nil
	}
	return strings.Split(pattern, ".")
}

func (n *topicNode) child(word string) *topicNode {
	switch word {
	case "*":
		return n.star
	case "#":
		return n.hash
	}
	return n.words[word]
}

func (n *topicNode) setChild(word string, child *topicNode) {
	switch word {
	case "*":
		n.star = child
	case "#":
		n.hash = child
	default:
		if child == nil {
			delete(n.words, word)
			return
		}
		if n.words == nil {
			n.words = map[string]*topicNode{}
		}
		n.words[word] = child
	}
}

func (n *topicNode) empty() bool {
	return len(n.words) == 0 && n.star == nil && n.hash == nil && n.to.empty()
}

func (x *topicMatcher) add(b *Binding) {
	n := &x.root
	for _, w := range words(b.Key) {
		child := n.child(w)
		if child == nil {
			child = &topicNode{}
			n.setChild(w, child)
		}
		n = child
	}
	n.to.add(b.Destination)
}

// remove takes the nodes with it that lead nowhere any more.
func (x *topicMatcher) remove(b *Binding) {
	path, pattern := []*topicNode{&x.root}, words(b.Key)
	for _, w := range pattern {
		path = append(path, path[len(path)-1].child(w))
	}
	path[len(path)-1].to.remove(b.Destination)
	for i := len(pattern); i > 0 && path[i].empty(); i-- {
		path[i-1].setChild(pattern[i-1], nil)
	}
}

func (x *topicMatcher) match(m *Message, w *Walk) {
	for i := 0; ; i++ {
		k, ok := m.key(i)
		if !ok {
			return
		}
		x.matchKey(k, w)
	}
}

// matchKey walks over the words with the set of all nodes at which a pattern may be, so a key costs no more than its words times
// the nodes, however many # there are. A hash node stays in the set once it is in it: it takes any number of words.
func (x *topicMatcher) matchKey(key string, w *Walk) {
	w.here = append(w.here[:0], &x.root)
	w.stay.clear()
	w.stay.enter(&x.root)
	for rest, more := key, key != ""; more; {
		var word string
		word, rest, more = strings.Cut(rest, ".")
		w.there = w.there[:0]
		for _, n := range w.here {
			w.there = n.step(w.there, word)
		}
		for _, n := range w.stay.list {
			w.there = n.step(w.there, word)
		}
		for _, n := range w.there {
			w.stay.enter(n)
		}
		w.here, w.there = w.there, w.here
	}
	for _, n := range w.here {
		n.to.all(w)
	}
	for _, n := range w.stay.list {
		n.to.all(w)
	}
}

// step appends the nodes that follow with this word.
func (n *topicNode) step(to []*topicNode, word string) []*topicNode {
	if child := n.words[word]; child != nil {
		to = append(to, child)
	}
	if n.star != nil {
		to = append(to, n.star)
	}
	return to
}

// loops are the hash nodes that a walk came to. Every other node is reached by one way only, since a trie is a tree; a
// hash node also by staying there.
type loops struct {
	list []*topicNode
	set  map[*topicNode]bool // of list, once it is long
}

func (l *loops) clear() { l.list, l.set = l.list[:0], nil }

// enter adds the hash nodes that follow a node without a word.
func (l *loops) enter(n *topicNode) {
	for n = n.hash; n != nil && !l.has(n); n = n.hash {
		l.list = append(l.list, n)
		if l.set != nil {
			l.set[n] = true
		}
	}
}

func (l *loops) has(n *topicNode) bool {
	if len(l.list) <= loopsListed {
		return slices.Contains(l.list, n)
	}
	if l.set == nil {
		l.set = map[*topicNode]bool{}
		for _, x := range l.list {
			l.set[x] = true
		}
	}
	return l.set[n]
}
