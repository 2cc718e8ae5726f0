package routing

import (
	"fmt"
	"strings"
)

// String is the topology in one line.
func (t *Topology) String() string {
	return fmt.Sprintf("%d exchanges, %d queues, %d bindings", len(t.exchanges), len(t.queues), t.bindings)
}

// Describe is every exchange that a client declared or bound, with its bindings, in lines.
func (t *Topology) Describe() string {
	var b strings.Builder
	fmt.Fprintln(&b, t)
	for _, x := range t.Exchanges() {
		bindings := t.Bindings(x.Name)
		if isPredeclared(x.Name) && len(bindings) == 0 {
			continue
		}
		fmt.Fprintf(&b, "exchange %q %s", x.Name, x.Type)
		for _, flag := range []struct {
			name string
			set  bool
		}{{"durable", x.Durable}, {"auto-delete", x.AutoDelete}, {"internal", x.Internal}} {
			if flag.set {
				b.WriteString(" " + flag.name)
			}
		}
		fmt.Fprintf(&b, "%s\n", argumentsText(x.Arguments))
		for i := range bindings {
			fmt.Fprintf(&b, "  %v\n", &bindings[i])
		}
	}
	return b.String()
}
