package journal

import (
	"cmp"
	"slices"
	"sync"
)

// damages is the list of what is known to be damaged and not yet repaired.
type damages struct {
	mu       sync.Mutex
	known    map[damageKey]Damage
	report   func(Damage)
	repaired int
	changed  chan struct{} // closed and made anew at each repair
}

type damageKey struct {
	id      replicaID
	kind    DamageKind
	index   uint64
	segment uint64
	offset  int64
}

func (d *damages) add(x Damage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := damageKey{replicaID{x.Shard, x.Replica}, x.Kind, x.Index, x.Segment, x.Offset}
	if _, ok := d.known[k]; ok {
		return
	}
	atDamageFound.Hit()
	d.known[k] = x
	d.report(x)
}

// found takes in a record whose body fails its checksum.
func (d *damages) found(rec *record, raft bool) {
	x := Damage{Shard: rec.id.shard, Replica: rec.id.replica, Index: rec.index, Term: rec.term, Segment: rec.segment,
		Offset: int64(rec.at), Length: int64(rec.length), Kind: DamagedPayload, Repairable: true}
	if raft || rec.kind != kindPayload {
		x.Kind = DamagedEntry
	}
	d.add(x)
}

// lost takes in what recovery did not find of a replica.
func (d *damages) lost(r *replica) {
	if r.uncertain {
		atStateLost.Hit()
		d.add(Damage{Shard: r.id.shard, Replica: r.id.replica, Kind: LostState})
	}
	n := 0
	for i := range r.entries {
		if r.entries[i].segment == 0 && n < lostEntriesMax {
			n++
			index := r.first + uint64(i)
			atEntryLost.Hit()
			d.add(Damage{Shard: r.id.shard, Replica: r.id.replica, Index: index, Kind: LostEntry, Repairable: index <= r.state.Commit})
		}
	}
}

// tell reports what recovery left and everything from then on.
func (d *damages) tell(report func(Damage)) {
	for _, x := range d.list() {
		report(x)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report = report
}

// current drops what recovery found in segments whose entries were overwritten later, and says of entries below Raft's
// range that only names need them.
func (d *damages) current(l *ledger) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, x := range d.known {
		r := l.replicas[k.id]
		if k.kind != DamagedEntry || r == nil || r.first == 0 {
			continue
		}
		if k.index >= r.first {
			if !r.covers(k.index) || r.at(k.index).segment != k.segment || int64(r.at(k.index).offset) != k.offset {
				delete(d.known, k)
			}
			continue
		}
		delete(d.known, k)
		k.kind, x.Kind = DamagedPayload, DamagedPayload
		d.known[k] = x
	}
}

func (d *damages) segment(s *segment) {
	atSegmentLost.Hit()
	d.add(Damage{Segment: s.number, Length: s.end, Kind: LostSegment})
}

// applied forgets the damage that a durable record put right or made void.
func (d *damages) applied(rec *record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.known) == 0 {
		return
	}
	for k := range d.known {
		if k.id != rec.id {
			continue
		}
		void := false
		switch rec.kind {
		case kindEntry:
			void = k.index >= rec.index && k.kind != DamagedPayload
		case kindRestate:
			void = k.index == rec.index && (k.segment != rec.segment || k.offset != int64(rec.at))
		case kindPayload:
			void = k.index == rec.index && k.kind == DamagedPayload
		case kindReset, kindImport:
			void = k.index > 0 && k.kind != DamagedPayload || rec.kind == kindImport && k.index == 0
		case kindTrim:
			void = k.kind == LostEntry && k.index <= rec.index
		case kindRemove:
			void = k.kind == LostEntry || k.kind == LostState
		case kindForget:
			void = true
		}
		if void {
			delete(d.known, k)
			if rec.kind == kindRestate || rec.kind == kindPayload {
				atDamageRepaired.Hit()
				d.repaired++
			}
		}
	}
	close(d.changed)
	d.changed = make(chan struct{})
}

// freed forgets the damage that lay in a segment nobody needs any more.
func (d *damages) freed(segment uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k := range d.known {
		if k.segment == segment {
			delete(d.known, k)
		}
	}
}

// repair gives a channel that closes at the next repair.
func (d *damages) repair() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

func (d *damages) list() []Damage {
	d.mu.Lock()
	defer d.mu.Unlock()
	xs := make([]Damage, 0, len(d.known))
	for _, x := range d.known {
		xs = append(xs, x)
	}
	slices.SortFunc(xs, func(a, b Damage) int {
		return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Replica, b.Replica), cmp.Compare(a.Index, b.Index),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Segment, b.Segment), cmp.Compare(a.Offset, b.Offset))
	})
	return xs
}

// Damages lists what is known to be damaged and not yet repaired, in order.
func (j *Journal) Damages() []Damage { return j.damage.list() }
