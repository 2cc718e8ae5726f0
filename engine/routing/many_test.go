package routing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A ring of exchanges, each bound to both of its neighbours and to a queue: far more than a walk keeps in a list.
func TestLongWalks(t *testing.T) {
	top, all := New(), []string{}
	const n = 50
	name := func(i int) string { return fmt.Sprintf("x%02d", (i+n)%n) }
	for i := range n {
		if err := top.Declare(Exchange{Name: name(i), Type: Fanout}); err != nil {
			t.Fatal(err)
		}
		top.AddQueue("q" + name(i))
		all = append(all, "q"+name(i))
	}
	for i := range n {
		for _, d := range []Destination{{Exchange: true, Name: name(i - 1)}, {Exchange: true, Name: name(i + 1)}, {Name: "q" + name(i)}} {
			if err := top.Bind(Binding{Source: name(i), Destination: d}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := top.Route(new(Walk), name(7), &Message{}); !slices.Equal(got, all) {
		t.Errorf("routed to %q", got)
	}
}

// Many queues at one exchange, bound once or twice, some of them gone again: what is found by an index, not in a list.
func TestManyDestinations(t *testing.T) {
	for _, x := range []string{"amq.direct", "amq.fanout", "amq.topic", "amq.headers"} {
		top, random := New(), rand.New(rand.NewPCG(1, 2))
		binding := func(i int, twice bool) Binding {
			b := Binding{Source: x, Destination: Destination{Name: fmt.Sprintf("q%03d", i)}, Key: "k"}
			if twice {
				b.Arguments = []Argument{{"x-n", Value{Kind: Int, Int: 2}}}
			}
			return b
		}
		bound := map[string]int{}
		for step := range 5000 {
			i, twice := random.IntN(200), random.IntN(2) == 1
			b := binding(i, twice)
			top.AddQueue(b.Destination.Name)
			bit := 1
			if twice {
				bit = 2
			}
			var err error
			if random.IntN(3) > 0 {
				err, bound[b.Destination.Name] = top.Bind(b), bound[b.Destination.Name]|bit
			} else {
				_, err = top.Unbind(b)
				bound[b.Destination.Name] &^= bit
			}
			if err != nil {
				t.Fatal(err)
			}
			if step%50 > 0 {
				continue
			}
			var want []string
			for q, bits := range bound {
				if bits != 0 {
					want = append(want, q)
				}
			}
			slices.Sort(want)
			if got := top.Route(new(Walk), x, &Message{Key: "k"}); !slices.Equal(got, want) {
				t.Fatalf("%s, step %d: routed to %d queues, %d are bound", x, step, len(got), len(want))
			}
		}
	}
}

// What most messages need allocates nothing beyond the result.
func TestRoutingAllocatesNothing(t *testing.T) {
	top := New()
	top.AddQueue("q")
	for _, b := range []Binding{
		{Source: "amq.topic", Key: "orders.*.#"}, {Source: "amq.topic", Key: "#.eu"}, {Source: "amq.direct", Key: "orders.new.eu"}, {Source: "amq.fanout"},
	} {
		b.Destination.Name = "q"
		if err := top.Bind(b); err != nil {
			t.Fatal(err)
		}
	}
	var w Walk
	for _, x := range []string{"amq.topic", "amq.direct", "amq.fanout"} {
		m := &Message{Key: "orders.new.eu"}
		if n := testing.AllocsPerRun(100, func() {
			if queues := top.Route(&w, x, m); len(queues) != 1 {
				t.Fatalf("%s routes to %q", x, queues)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", x, n)
		}
	}
}
