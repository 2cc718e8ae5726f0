package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Destination is where a binding leads to.
type Destination struct {
	Exchange bool // an exchange, else a queue
	Name     string
}

func (d Destination) String() string {
	if d.Exchange {
		return "exchange " + strconv.Quote(d.Name)
	}
	return "queue " + strconv.Quote(d.Name)
}

func compareDestinations(a, b Destination) int {
	if a.Exchange != b.Exchange {
		if a.Exchange {
			return 1
		}
		return -1
	}
	return cmp.Compare(a.Name, b.Name)
}

// Binding leads from an exchange to a destination. All of its fields make it the binding it is.
type Binding struct {
	Source      string
	Destination Destination
	Key         string
	Arguments   []Argument
}

func (b *Binding) String() string {
	return fmt.Sprintf("%q -> %v key=%q%v", b.Source, b.Destination, b.Key, argumentsText(b.Arguments))
}

func argumentsText(arguments []Argument) string {
	var out strings.Builder
	for _, a := range arguments {
		fmt.Fprintf(&out, " %s=%v", a.Name, a.Value)
	}
	return out.String()
}

// bindingID is a binding as a text that no other has.
type bindingID string

func (b *Binding) id() bindingID {
	out := make([]byte, 0, 64)
	part := func(s string) { out = append(strconv.AppendInt(out, int64(len(s)), 10), ':'); out = append(out, s...) }
	part(b.Source)
	part(strconv.FormatBool(b.Destination.Exchange))
	part(b.Destination.Name)
	part(b.Key)
	for _, a := range b.Arguments {
		part(a.Name)
		part(a.Value.String())
	}
	return bindingID(out)
}

// sorted returns the binding with its arguments by name: their order means nothing.
func (b Binding) sorted() *Binding {
	b.Arguments = slices.Clone(b.Arguments)
	slices.SortStableFunc(b.Arguments, func(x, y Argument) int { return cmp.Compare(x.Name, y.Name) })
	return &b
}

// offDefault refuses the default exchange: every queue is bound to it by its name, for ever.
func (b *Binding) offDefault() error {
	if b.Source == "" || b.Destination.Exchange && b.Destination.Name == "" {
		return refuse(Forbidden, "operation not permitted on the default exchange")
	}
	return nil
}

// validate refuses what an exchange of that type cannot have.
func (b *Binding) validate(t Type) error {
	if len(b.Key) > nameBytesMax || len(b.Destination.Name) > nameBytesMax {
		return refuse(InvalidArgument, "a binding's key of %d bytes to a name of %d", len(b.Key), len(b.Destination.Name))
	}
	switch t {
	case Kafka:
		return refuse(InvalidArgument, "an exchange of type '%s' has no bindings", t)
	case Headers:
		_, err := parseMatch(b)
		return err
	case ConsistentHash:
		_, err := parseWeight(b.Key)
		return err
	}
	return nil
}
