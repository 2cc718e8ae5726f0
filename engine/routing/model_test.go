package routing

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model is a topology without any index: lists, and a matcher that tries everything.
type model struct {
	exchanges map[string]Exchange
	queues    map[string]bool
	bindings  []Binding
}

func newModel() *model {
	m := &model{exchanges: map[string]Exchange{}, queues: map[string]bool{}}
	for _, x := range predeclared() {
		m.exchanges[x.Name] = x
	}
	return m
}

func sameBinding(a, b Binding) bool {
	return a.Source == b.Source && a.Destination == b.Destination && a.Key == b.Key && slices.Equal(a.sorted().Arguments, b.sorted().Arguments)
}

func (m *model) has(b Binding) bool {
	return slices.ContainsFunc(m.bindings, func(x Binding) bool { return sameBinding(x, b) })
}

// removeWhere removes bindings, and every exchange that has to go for it, until nothing changes.
func (m *model) removeWhere(gone func(Binding) bool) (exchanges []string) {
	lost := map[string]bool{}
	m.bindings = slices.DeleteFunc(m.bindings, func(b Binding) bool {
		if gone(b) {
			lost[b.Source] = true
			return true
		}
		return false
	})
	for _, name := range slices.Sorted(maps.Keys(lost)) {
		x, ok := m.exchanges[name]
		if ok && x.AutoDelete && !slices.ContainsFunc(m.bindings, func(b Binding) bool { return b.Source == name }) {
			exchanges = append(exchanges, m.removeExchange(name)...)
		}
	}
	slices.Sort(exchanges)
	return exchanges
}

func (m *model) removeExchange(name string) []string {
	delete(m.exchanges, name)
	at := Destination{Exchange: true, Name: name}
	m.bindings = slices.DeleteFunc(m.bindings, func(b Binding) bool { return b.Source == name })
	gone := append(m.removeWhere(func(b Binding) bool { return b.Destination == at }), name)
	slices.Sort(gone)
	return gone
}

func topicMatches(pattern, key []string) bool {
	switch {
	case len(pattern) == 0:
		return len(key) == 0
	case pattern[0] == "#":
		return topicMatches(pattern[1:], key) || len(key) > 0 && topicMatches(pattern, key[1:])
	case len(key) == 0:
		return false
	}
	return (pattern[0] == "*" || pattern[0] == key[0]) && topicMatches(pattern[1:], key[1:])
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ".")
}

func keysOf(m *Message) []string { return slices.Concat([]string{m.Key}, m.CC, m.BCC) }

func headersMatch(b Binding, m *Message) bool {
	mode := "all"
	some, every := false, true
	for _, a := range b.Arguments {
		if a.Name == "x-match" {
			mode = a.Value.Text
		}
	}
	for _, a := range b.Arguments {
		if a.Name == "x-match" || strings.HasPrefix(a.Name, "x-") && !strings.HasSuffix(mode, "with-x") {
			continue
		}
		i := slices.IndexFunc(m.Headers, func(h Argument) bool { return h.Name == a.Name })
		if i >= 0 && (a.Value.Kind == Void || a.Value == m.Headers[i].Value) {
			some = true
		} else {
			every = false
		}
	}
	return strings.HasPrefix(mode, "all") && every || strings.HasPrefix(mode, "any") && some
}

func (m *model) matches(x Exchange, b Binding, msg *Message) bool {
	if x.Type == Headers {
		return headersMatch(b, msg)
	}
	for _, key := range keysOf(msg) {
		if x.Type == Fanout || x.Type == Direct && b.Key == key || x.Type == Topic && topicMatches(split(b.Key), split(key)) {
			return true
		}
	}
	return false
}

func (m *model) route(name string, msg *Message) []string {
	queues, seen := map[string]bool{}, map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		x, ok := m.exchanges[name]
		if !ok || seen[name] {
			return
		}
		seen[name] = true
		matched := false
		for _, b := range m.bindings {
			if b.Source != name || !m.matches(x, b, msg) {
				continue
			}
			matched = true
			if b.Destination.Exchange {
				visit(b.Destination.Name)
			} else {
				queues[b.Destination.Name] = true
			}
		}
		for _, a := range x.Arguments {
			if a.Name == argumentAlternate && !matched {
				visit(a.Value.Text)
			}
		}
	}
	if name == "" {
		for _, key := range keysOf(msg) {
			if m.queues[key] {
				queues[key] = true
			}
		}
	} else {
		visit(name)
	}
	return slices.Sorted(maps.Keys(queues))
}

var (
	exchangeNames = []string{"a", "b", "c", "d", "amq.topic", "amq.headers"}
	queueNames    = []string{"q1", "q2", "q3", "x.y"}
	wordsDrawn    = []string{"x", "y", "", "*", "#", "#"}
)

func drawKey(t *rapid.T, label string) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(wordsDrawn), 0, 4).Draw(t, label), ".")
}

func drawArguments(t *rapid.T, label string) (out []Argument) {
	names := []string{"h", "i", "x-h"}
	values := []Value{{}, {Kind: Text, Text: "v"}, {Kind: Int, Int: 1}, {Kind: Bool, Int: 1}}
	for _, name := range names {
		if i := rapid.IntRange(0, 2*len(values)).Draw(t, label); i < len(values) {
			out = append(out, Argument{name, values[i]})
		}
	}
	return out
}

func drawBinding(t *rapid.T) Binding {
	b := Binding{Source: rapid.SampledFrom(exchangeNames).Draw(t, "source"), Key: drawKey(t, "key"), Arguments: drawArguments(t, "argument")}
	if match := rapid.SampledFrom([]string{"", "all", "any", "all-with-x", "any-with-x"}).Draw(t, "x-match"); match != "" {
		b.Arguments = append(b.Arguments, Argument{argumentMatch, Value{Kind: Text, Text: match}})
	}
	if rapid.IntRange(0, 2).Draw(t, "to") == 0 {
		b.Destination = Destination{Exchange: true, Name: rapid.SampledFrom(exchangeNames).Draw(t, "exchange")}
	} else {
		b.Destination = Destination{Name: rapid.SampledFrom(queueNames).Draw(t, "queue")}
	}
	return b
}

func drawMessage(t *rapid.T) *Message {
	m := &Message{Key: drawKey(t, "routing-key"), Headers: drawArguments(t, "header")}
	if rapid.Bool().Draw(t, "copies") {
		m.CC, m.BCC = []string{drawKey(t, "cc")}, []string{rapid.SampledFrom(queueNames).Draw(t, "bcc")}
	}
	return m
}

// A topology that is changed at random routes as the model does, removes what the model removes, and is what its lists
// say: made anew out of them, in another order, it routes the same.
func TestTopologyAgainstModel(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		real, m := New(), newModel()
		same := func(what string, got, want any) {
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: %v, the model has %v\n%s", what, got, want, real.Describe())
			}
		}
		for _, q := range queueNames {
			real.AddQueue(q)
			m.queues[q] = true
		}
		actions := map[string]func(*rapid.T){
			"declare": func(t *rapid.T) {
				x := Exchange{Name: rapid.SampledFrom(exchangeNames).Draw(t, "name"), Type: rapid.SampledFrom([]Type{Direct, Fanout, Topic, Headers}).Draw(t, "type"), AutoDelete: rapid.Bool().Draw(t, "auto-delete")}
				if rapid.Bool().Draw(t, "alternate") {
					x.Arguments = []Argument{{argumentAlternate, Value{Kind: Text, Text: rapid.SampledFrom(exchangeNames).Draw(t, "to")}}}
				}
				_, there := m.exchanges[x.Name]
				if err := real.Declare(x); err != nil && !there {
					t.Fatal(err)
				}
				if !there {
					m.exchanges[x.Name] = x
				}
			},
			"queue": func(t *rapid.T) {
				name := rapid.SampledFrom(queueNames).Draw(t, "name")
				real.AddQueue(name)
				m.queues[name] = true
			},
			"bind": func(t *rapid.T) {
				for range 4 {
					b := drawBinding(t)
					_, from := m.exchanges[b.Source]
					_, toExchange := m.exchanges[b.Destination.Name]
					there := from && (b.Destination.Exchange && toExchange || !b.Destination.Exchange && m.queues[b.Destination.Name])
					err := real.Bind(b)
					same("bound", err == nil, there)
					if there && !m.has(b) {
						m.bindings = append(m.bindings, b)
					}
				}
			},
			"unbind": func(t *rapid.T) {
				if len(m.bindings) == 0 {
					t.Skip("nothing is bound")
				}
				b := rapid.SampledFrom(m.bindings).Draw(t, "binding")
				gone, err := real.Unbind(b)
				if err != nil {
					t.Fatal(err)
				}
				want := m.removeWhere(func(x Binding) bool { return sameBinding(x, b) })
				seen["exchanges gone by unbind"] += len(gone)
				same("gone", gone, want)
			},
			"delete": func(t *rapid.T) {
				name := rapid.SampledFrom(exchangeNames[:4]).Draw(t, "name")
				_, there := m.exchanges[name]
				gone, err := real.Delete(name, false)
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				if there {
					want = m.removeExchange(name)
				}
				seen["exchanges gone by delete"] += len(gone)
				same("gone", gone, want)
			},
			"remove-queue": func(t *rapid.T) {
				name := rapid.SampledFrom(queueNames).Draw(t, "name")
				delete(m.queues, name)
				gone := real.RemoveQueue(name)
				seen["exchanges gone by a queue"] += len(gone)
				same("gone", gone, m.removeWhere(func(b Binding) bool { return b.Destination == Destination{Name: name} }))
			},
			"route": func(t *rapid.T) {
				msg := drawMessage(t)
				for _, name := range append([]string{""}, exchangeNames...) {
					got := real.Route(new(Walk), name, msg)
					seen[fmt.Sprintf("routed to %d", len(got))]++
					same("routed", got, m.route(name, msg))
				}
			},
			"": func(t *rapid.T) {
				again := rebuild(t, real)
				same("made anew", again.Describe(), real.Describe())
				msg := drawMessage(t)
				for _, name := range exchangeNames {
					same("routed anew", again.Route(new(Walk), name, msg), real.Route(new(Walk), name, msg))
				}
			},
		}
		actions["bind more"], actions["route more"] = actions["bind"], actions["route"]
		for range 3 {
			t.Repeat(actions)
		}
	})
	t.Log(seen)
	for _, what := range []string{"routed to 0", "routed to 1", "routed to 2", "exchanges gone by unbind", "exchanges gone by delete", "exchanges gone by a queue"} {
		if seen[what] < 3 {
			t.Errorf("%s: %d times: what is drawn is not worth much", what, seen[what])
		}
	}
}

// rebuild makes a topology out of another's lists, backwards.
func rebuild(t *rapid.T, from *Topology) *Topology {
	out := New()
	for _, q := range slices.Backward(from.Queues()) {
		out.AddQueue(q)
	}
	exchanges := from.Exchanges()
	for _, x := range slices.Backward(exchanges) {
		if !isPredeclared(x.Name) {
			if err := out.Declare(x); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, x := range exchanges {
		for _, b := range slices.Backward(from.Bindings(x.Name)) {
			if err := out.Bind(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// Patterns against keys, alone: a trie of many patterns, some removed again, against trying each.
func TestTopicAgainstModel(t *testing.T) {
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		var x topicMatcher
		patterns := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string { return drawKey(t, "pattern") }), 0, 30, rapid.ID).Draw(t, "patterns")
		binding := func(i int) *Binding {
			return &Binding{Key: patterns[i], Destination: Destination{Name: strconv.Itoa(i)}}
		}
		for i := range patterns {
			x.add(binding(i))
		}
		kept := rapid.IntRange(0, len(patterns)).Draw(t, "kept")
		for i := kept; i < len(patterns); i++ {
			x.remove(binding(i))
		}
		for range 10 {
			key := drawKey(t, "key")
			var w Walk
			x.matchKey(key, &w)
			got, want := w.queues, []string(nil)
			for i, p := range patterns[:kept] {
				if topicMatches(split(p), split(key)) {
					want = append(want, strconv.Itoa(i))
				}
			}
			matched += len(want)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("%q matches %v, should %v of %q", key, got, want, patterns[:kept])
			}
		}
		for i := range kept {
			x.remove(binding(i))
		}
		if !x.root.empty() {
			t.Fatal("an empty trie has nodes")
		}
	})
	if matched < 100 {
		t.Errorf("%d matches in all: what is drawn is not worth much", matched)
	}
}
