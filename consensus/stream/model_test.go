package stream

import (
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// world is senders of two nodes, a network that drops, doubles and reorders, one log, and a dumb record of what was
// submitted and applied. Commands of a node are the numbers 1, 2, 3… over all its lives.
type world struct {
	state   State
	senders map[int32]*life
	network [][]byte
	applied map[int32][]uint64
	results map[int32]map[uint64]string
	pend    map[int32]uint64 // greatest command submitted
	first   map[int32]uint64 // first command of the present life
	ends    map[int32]map[uint64]bool
	nonce   uint64
	// plant breaks one rule, to see that the checks notice.
	plant string
}

// life is one process of a node.
type life struct {
	s       Sender
	bufs    [][]byte
	ids     [][]uint64
	state   State
	reopen  bool
	waiting []uint64
}

func newWorld(plant string) *world {
	w := &world{senders: map[int32]*life{}, applied: map[int32][]uint64{}, results: map[int32]map[uint64]string{},
		pend: map[int32]uint64{}, first: map[int32]uint64{}, ends: map[int32]map[uint64]bool{}, plant: plant}
	for _, n := range []int32{1, 2} {
		w.results[n], w.ends[n] = map[uint64]string{}, map[uint64]bool{}
		w.restart(n)
	}
	return w
}

func (w *world) restart(n int32) {
	// What the old life had pending may still be in the network: applied before the next open, or never.
	w.ends[n][w.pend[n]] = true
	w.first[n] = w.pend[n] + 1
	w.senders[n] = &life{s: NewSender(n), state: w.state.clone(), reopen: true}
}

func (s *State) clone() State {
	c, err := DecodeMeta(s.AppendMeta(nil))
	if err != nil {
		panic(err)
	}
	return c
}

func (w *world) send(b []byte) { w.network = append(w.network, append([]byte(nil), b...)) }

func (w *world) pump(n int32) {
	l := w.senders[n]
	if l.reopen {
		l.reopen = false
		w.nonce++
		w.send(AppendEntry(nil, &Entry{Header: l.s.Open(w.nonce, l.state.Stream(n))}))
	}
	if !l.s.IsOpen() {
		return
	}
	for len(l.waiting) > 0 && l.s.InFlight() < 3 {
		k := min(2, len(l.waiting))
		buf := Begin(nil)
		for _, id := range l.waiting[:k] {
			buf = AppendCommand(buf, 0, binary.BigEndian.AppendUint64(nil, id), nil)
		}
		l.s.Seal(k)
		l.bufs, l.ids = append(l.bufs, buf), append(l.ids, append([]uint64(nil), l.waiting[:k]...))
		l.waiting = l.waiting[k:]
		w.sendFlight(l, len(l.bufs)-1)
	}
}

func (w *world) sendFlight(l *life, i int) {
	PutHeader(l.bufs[i], l.s.Header(i))
	w.send(l.bufs[i])
}

func (w *world) react(n int32, r Reaction) {
	l := w.senders[n]
	finish := func(k int, how string) {
		for _, ids := range l.ids[:k] {
			for _, id := range ids {
				if old := w.results[n][id]; old != "" {
					panic(fmt.Sprintf("command %d of node %d: %s after %s", id, n, how, old))
				}
				w.results[n][id] = how
			}
		}
		l.ids, l.bufs = l.ids[k:], l.bufs[k:]
	}
	finish(r.Done, "done")
	finish(r.Lost, "lost")
	if r.Reopen {
		l.reopen = true
	}
	if r.Resend && l.s.IsOpen() {
		for i := range l.bufs {
			w.sendFlight(l, i)
		}
	}
}

// deliver appends one message to the log; every node sees it at once, except one whose state is replaced by a snapshot.
func (w *world) deliver(b []byte, jump map[int32]bool) {
	var e Entry
	if err := Decode(b, &e); err != nil {
		panic(err)
	}
	if w.plant == "ignore-incarnation" && e.Kind == KindCommands {
		e.Incarnation = w.state.Stream(e.Node).Incarnation
		if e.Incarnation == 0 {
			return
		}
	}
	v := w.state.Apply(&e)
	switch w.plant {
	case "accept-gap":
		if v.Outcome == Gap {
			v.Outcome = Applied
		}
	case "accept-duplicate":
		if v.Outcome == Duplicate {
			v.Outcome, v.Skip = Applied, 0
		}
	}
	if v.Outcome == Applied {
		for _, c := range e.Commands[v.Skip:] {
			w.applied[e.Node] = append(w.applied[e.Node], binary.BigEndian.Uint64(c.Body))
		}
	}
	for n, l := range w.senders {
		l.state = w.state.clone()
		if jump[n] {
			w.react(n, l.s.Installed(l.state.Stream(n)))
		} else if e.Node == n {
			w.react(n, l.s.Observe(e.Header, v))
		}
	}
}

// check: strictly rising (never doubled, never reordered), and a hole only where a life ended.
func (w *world) check() error {
	for _, n := range []int32{1, 2} {
		last := uint64(0)
		have := map[uint64]bool{}
		for _, id := range w.applied[n] {
			if id <= last {
				return fmt.Errorf("node %d: %d applied after %d", n, id, last)
			}
			for missing := last + 1; missing < id; missing++ {
				// Everything from missing to the end of its life must be missing too.
				if w.lifeOf(n, missing) == w.lifeOf(n, id) {
					return fmt.Errorf("node %d: %d applied without %d", n, id, missing)
				}
			}
			have[id], last = true, id
		}
		for id, how := range w.results[n] {
			if how == "done" && !have[id] {
				return fmt.Errorf("node %d: %d reported done and not applied", n, id)
			}
		}
	}
	return nil
}

func (w *world) lifeOf(n int32, id uint64) uint64 {
	end := uint64(1 << 62)
	for e := range w.ends[n] {
		if e >= id && e < end {
			end = e
		}
	}
	return end
}

func (w *world) step(t *rapid.T) {
	n := rapid.SampledFrom([]int32{1, 2}).Draw(t, "node")
	switch op := rapid.SampledFrom([]string{"submit", "submit", "deliver", "deliver", "deliver", "drop", "double", "restart", "jump", "late"}).Draw(t, "op"); op {
	case "submit":
		w.pend[n]++
		w.senders[n].waiting = append(w.senders[n].waiting, w.pend[n])
		w.pump(n)
	case "deliver", "double", "jump":
		if len(w.network) == 0 {
			return
		}
		i := rapid.IntRange(0, min(len(w.network)-1, 4)).Draw(t, "message")
		b := w.network[i]
		if op != "double" {
			w.network = append(w.network[:i:i], w.network[i+1:]...)
		}
		w.deliver(b, map[int32]bool{n: op == "jump"})
		w.pump(1)
		w.pump(2)
	case "drop":
		if len(w.network) > 0 {
			i := rapid.IntRange(0, len(w.network)-1).Draw(t, "message")
			w.network = append(w.network[:i:i], w.network[i+1:]...)
		}
	case "restart":
		w.restart(n)
		w.pump(n)
	case "late":
		w.late(n)
	}
}

// late is the timer: whatever is unfinished is sent again.
func (w *world) late(n int32) {
	l := w.senders[n]
	if !l.s.IsOpen() {
		l.reopen = true
	} else {
		l.s.Again()
		for i := range l.bufs {
			w.sendFlight(l, i)
		}
	}
	w.pump(n)
}

// drain delivers in order and without loss until nothing is pending.
func (w *world) drain() error {
	for range 200 {
		for len(w.network) > 0 {
			b := w.network[0]
			w.network = w.network[1:]
			w.deliver(b, nil)
			w.pump(1)
			w.pump(2)
		}
		busy := false
		for _, n := range []int32{1, 2} {
			if l := w.senders[n]; len(l.waiting)+l.s.InFlight() > 0 {
				busy = true
				w.late(n)
			}
		}
		if !busy {
			break
		}
	}
	for _, n := range []int32{1, 2} {
		for id := w.first[n]; id <= w.pend[n]; id++ {
			if w.results[n][id] == "" {
				return fmt.Errorf("node %d: %d never finished: %v", n, id, &w.senders[n].s)
			}
		}
	}
	return nil
}

func runModel(t *rapid.T, plant string) error {
	w := newWorld(plant)
	for range rapid.IntRange(40, 200).Draw(t, "steps") {
		w.step(t)
		if err := w.check(); err != nil {
			return err
		}
	}
	if err := w.drain(); err != nil {
		return err
	}
	return w.check()
}

func TestModelNeverLostDoubledReordered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if err := runModel(t, ""); err != nil {
			t.Fatal(err)
		}
	})
}

// Each planted bug must be found, or the model proves nothing.
func TestModelFindsPlantedBugs(t *testing.T) {
	for _, plant := range []string{"accept-gap", "accept-duplicate", "ignore-incarnation"} {
		t.Run(plant, func(t *testing.T) {
			found := false
			for seed := range 300 {
				if err := planted(plant, seed); err != nil {
					found = true
					break
				}
			}
			if !found {
				t.Fatalf("no run noticed %s", plant)
			}
		})
	}
}

func planted(plant string, seed int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	rapid.Custom(func(t *rapid.T) bool {
		if e := runModel(t, plant); e != nil {
			err = e
		}
		return true
	}).Example(seed)
	return err
}
