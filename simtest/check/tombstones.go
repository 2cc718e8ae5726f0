package check

import (
	"maps"
	"slices"
)

// tombstones: whoever saw what a tombstone deletes sees the tombstone as well, unless that takes too long.
//
//   - undead: a session was given a record of a compacted partition, and then went past the tombstone that is the
//     newest record of its key without being given it, in less time since the session began than tombstones stay.
func (c *checker) tombstones() {
	if c.h.TombstonesStay <= 0 || len(c.h.Compacted) == 0 {
		return
	}
	w := &mourner{c, newCompaction(c), map[keyed]int32{}, map[int32]Span{}, map[int64]map[string]int32{}}
	for i := range c.index.values {
		v := &c.index.values[i]
		if v.sender != none && v.high >= 0 && c.index.mop(v.sender).Tombstone && w.compaction.last[w.of(v)] == v.high {
			w.newest[w.of(v)] = int32(i)
		}
	}
	for i := range c.index.ops {
		c.live(w.lives, int32(i))
	}
	for i := range c.index.events {
		if e := &c.index.events[i]; e.poll && e.offset >= 0 && !c.index.ops[e.op].Uncommitted {
			w.step(int32(i), e)
		}
	}
	w.end()
}

// mourner walks what sessions were given.
type mourner struct {
	c *checker
	*compaction
	newest map[keyed]int32            // tombstones that are the newest record of their key
	lives  map[int32]Span             // from when to when each session read; none of one that nobody timed
	given  map[int64]map[string]int32 // by session and partition, of each key that is deleted later on, the last event
}

// live notes from when to when an operation's session lived.
func (c *checker) live(lives map[int32]Span, op int32) {
	o, s := &c.index.ops[op], c.index.session[op]
	if !o.timed() {
		return
	}
	life := o.Span
	if j := int(op) - len(c.h.Ops) - len(c.h.Sends); j >= 0 && c.h.Reads[j].Since > 0 {
		life.Call = c.h.Reads[j].Since
	}
	if before, ok := lives[s]; ok {
		life = Span{min(life.Call, before.Call), max(life.Return, before.Return)}
	}
	lives[s] = life
}

// step judges one record that a session was given.
func (w *mourner) step(event int32, e *event) {
	session := w.c.index.session[e.op]
	at := int64(session)<<32 | int64(e.partition)
	given := w.given[at]
	for _, key := range slices.Sorted(maps.Keys(given)) {
		t := &w.c.index.values[w.newest[keyed{e.partition, key}]]
		switch {
		case e.value == w.newest[keyed{e.partition, key}]:
			delete(given, key)
		case e.offset > t.high:
			if o := &w.c.index.ops[e.op]; o.timed() && o.Return-w.lives[session].Call < w.c.h.TombstonesStay {
				w.c.violation(Undead, w.c.index.logs[e.partition].name, "%s, and %s, but not the tombstone %q at %d that deletes its key", w.c.who(given[key]), w.c.who(event), t.text, t.high)
			}
			delete(given, key)
		}
	}
	v := &w.c.index.values[e.value]
	if v.sender == none {
		return
	}
	key := w.of(v)
	if n, ok := w.newest[key]; ok && key.partition == e.partition && n != e.value && e.offset < w.c.index.values[n].high {
		if given == nil {
			given = map[string]int32{}
			w.given[at] = given
		}
		given[key.key] = event
	}
}

// end judges final readings, which got to the end of their partitions.
func (w *mourner) end() {
	drained := map[int32]bool{}
	for _, name := range w.c.h.Drained {
		drained[w.c.index.numbers[name]] = true
	}
	for _, at := range slices.Sorted(maps.Keys(w.given)) {
		partition := int32(at)
		for _, key := range slices.Sorted(maps.Keys(w.given[at])) {
			event := w.given[at][key]
			life := w.lives[int32(at>>32)]
			if w.c.index.ops[w.c.index.events[event].op].Final && drained[partition] && life.timed() && life.Return-life.Call < w.c.h.TombstonesStay {
				t := &w.c.index.values[w.newest[keyed{partition, key}]]
				w.c.violation(Undead, w.c.index.logs[partition].name, "%s, and nothing behind it, but the tombstone %q at %d deletes its key", w.c.who(event), t.text, t.high)
			}
		}
	}
}
