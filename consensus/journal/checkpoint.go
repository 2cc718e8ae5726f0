package journal

import (
	"fmt"
)

// A checkpoint stands at the head of each log segment, twice, and says what every record before it amounts to: which
// segments there are, and of each replica state, snapshot, bootstrap and the range of its log. So an older segment is
// needed for its entries alone, and one flipped bit in a head costs nothing.

const (
	headReplicaBytes = stateBytes + 8 + 8 + 8
	headGone         = 1
	headUncertain    = 2
)

// encodeHeads gives the first bytes of segment s: two equal checkpoints.
func (j *Journal) encodeHeads(s *segment) []byte {
	l := j.ledger
	h := header{kind: batchHead, segment: s.number, open: l.open, sequence: l.sequence + 1, synced: j.synced}
	first := l.encodeHead(h)
	h.offset, h.sequence = int64(len(first)), h.sequence+1
	second := l.encodeHead(h)
	both := aligned(int64(len(first) + len(second)))
	copy(both[copy(both, first):], second)
	return both
}

func (l *ledger) encodeHead(h header) []byte {
	var ds []descriptor
	bodies := make([]byte, headerBytes)
	add := func(d descriptor, body []byte) {
		d.offset, d.length, d.crc = uint32(len(bodies)), uint32(len(body)), checksum(body)
		bodies = append(bodies, body...)
		ds = append(ds, d)
	}
	add(descriptor{kind: kindHead, index: l.nextSegment}, nil)
	for _, s := range l.numbered() {
		add(descriptor{kind: kindHeadSegment, index: s.number, term: uint64(s.end), extra: flag(s.payload, 1)}, nil)
	}
	for _, r := range l.sorted() {
		var b [headReplicaBytes]byte
		putState(b[:], r.state)
		le.PutUint64(b[24:], r.first)
		le.PutUint64(b[32:], r.last())
		le.PutUint64(b[40:], uint64(flag(r.gone, headGone)|flag(r.uncertain, headUncertain)))
		add(descriptor{kind: kindHeadReplica, id: r.id}, b[:])
		if r.snapshot != nil {
			add(descriptor{kind: kindSnapshot, id: r.id, index: r.snapshotIndex, term: r.snapshotTerm}, r.snapshot)
		}
		if r.bootstrap != nil {
			add(descriptor{kind: kindBootstrap, id: r.id}, r.bootstrap)
		}
		if n, ok := l.forgotten[r.id]; ok {
			add(descriptor{kind: kindHeadForgotten, id: r.id, index: n}, nil)
		}
	}
	for id, n := range l.forgotten {
		if l.replicas[id] == nil {
			add(descriptor{kind: kindHeadForgotten, id: id, index: n}, nil)
		}
	}
	b := make([]byte, align(int64(len(bodies)+len(ds)*descriptorBytes)))
	copy(b, bodies)
	return h.seal(b, len(bodies), [][]descriptor{ds})
}

func flag(on bool, f uint32) uint32 {
	if on {
		return f
	}
	return 0
}

// decodeHead makes a ledger of a checkpoint's records. The logs are empty yet; until says where they end.
func decodeHead(h *header, rs []record) (*ledger, error) {
	l := newLedger()
	l.open, l.sequence = h.open, h.sequence
	if len(rs) == 0 || rs[0].kind != kindHead {
		return nil, fmt.Errorf("checkpoint of segment %d: no head", h.segment)
	}
	l.nextSegment = rs[0].index
	for i := range rs[1:] {
		rec := &rs[1+i]
		switch rec.kind {
		case kindHeadSegment:
			l.segments[rec.index] = &segment{number: rec.index, end: int64(rec.term), payload: rec.extra == 1}
		case kindHeadForgotten:
			l.forgotten[rec.id] = rec.index
		case kindHeadReplica:
			if err := l.loadReplica(rec); err != nil {
				return nil, err
			}
		case kindSnapshot:
			l.replica(rec.id).keepSnapshot(rec.index, rec.term, rec.body)
		case kindBootstrap:
			l.replica(rec.id).bootstrap = append([]byte{}, rec.body...)
		default:
			return nil, fmt.Errorf("checkpoint of segment %d: %s", h.segment, rec)
		}
	}
	return l, nil
}

func (l *ledger) loadReplica(rec *record) error {
	if len(rec.body) != headReplicaBytes {
		return fmt.Errorf("checkpoint: replica record of %d bytes", len(rec.body))
	}
	r := l.replica(rec.id)
	state, err := decodeState(rec.body[:stateBytes])
	if err != nil {
		return err
	}
	first, last, flags := le.Uint64(rec.body[24:]), le.Uint64(rec.body[32:]), le.Uint64(rec.body[40:])
	if last+1 < first || last+1-first > entriesMax {
		return fmt.Errorf("checkpoint: log [%d,%d]", first, last)
	}
	r.state, r.first, r.until = state, first, last+1
	r.gone, r.uncertain = flags&headGone != 0, flags&headUncertain != 0
	return nil
}
