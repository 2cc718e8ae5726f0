package routing

import "strings"

// headersMatcher has every binding with what it asks of headers.
type headersMatcher struct {
	bindings []headersBinding
	at       map[*Binding]int // where each is in bindings
}

type headersBinding struct {
	*Binding
	match headerMatch
}

// headerMatch is what the argument x-match says.
type headerMatch struct {
	any   bool // one argument is enough; else all
	withX bool // arguments that begin with x- count, too
}

const argumentMatch = "x-match"

// parseMatch reads x-match; without it, all must match.
func parseMatch(b *Binding) (headerMatch, error) {
	v, ok := find(b.Arguments, argumentMatch)
	switch {
	case !ok:
		return headerMatch{}, nil
	case v.Kind != Text:
		return headerMatch{}, refuse(InvalidArgument, "Invalid x-match field type (value %v); expected longstr", v)
	}
	switch v.Text {
	case "all":
		return headerMatch{}, nil
	case "any":
		return headerMatch{any: true}, nil
	case "all-with-x":
		return headerMatch{withX: true}, nil
	case "any-with-x":
		return headerMatch{any: true, withX: true}, nil
	}
	return headerMatch{}, refuse(InvalidArgument, "Invalid x-match field value %q; expected all, any, all-with-x, or any-with-x", v.Text)
}

func (x *headersMatcher) add(b *Binding) {
	match, _ := parseMatch(b) // it was validated
	x.at[b] = len(x.bindings)
	x.bindings = append(x.bindings, headersBinding{b, match})
}

func (x *headersMatcher) remove(b *Binding) {
	i, last := x.at[b], len(x.bindings)-1
	x.bindings[i] = x.bindings[last]
	x.at[x.bindings[i].Binding] = i
	delete(x.at, b)
	x.bindings[last] = headersBinding{}
	x.bindings = x.bindings[:last]
}

func (x *headersMatcher) match(m *Message, w *Walk) {
	for i := range x.bindings {
		if x.bindings[i].matches(m.Headers) {
			w.to(x.bindings[i].Destination)
		}
	}
}

// matches compares each argument that counts with the header of its name. An argument without a value asks only that the
// header is there. No argument at all: all of none match, any of none does not.
func (b *headersBinding) matches(headers []Argument) bool {
	for _, a := range b.Arguments {
		if a.Name == argumentMatch || strings.HasPrefix(a.Name, "x-") && !b.match.withX {
			continue
		}
		v, ok := find(headers, a.Name)
		if ok && (a.Value.Kind == Void || a.Value.equal(v)) {
			if b.match.any {
				return true
			}
		} else if !b.match.any {
			return false
		}
	}
	return !b.match.any
}
