package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// kind says what a record is. The numbers are on disk: never reuse one.
type kind uint8

const (
	kindState          kind = 1  // term, vote, commit
	kindEntry          kind = 2  // a log entry; what lies at and above its index is overwritten
	kindSnapshot       kind = 3  // a snapshot's record; the log stays
	kindReset          kind = 4  // a snapshot received: the log below and above vanishes
	kindBootstrap      kind = 5  //
	kindRemove         kind = 6  // a replica's Raft data vanishes, its payloads stay
	kindForget         kind = 7  // a replica's payloads vanish as well
	kindImport         kind = 8  // an imported snapshot: bootstrap, state, log end and snapshot at once
	kindTrim           kind = 9  // the removal mark
	kindRestate        kind = 10 // an entry said again, same index and term: a repair, or carried out of an old segment
	kindPayload        kind = 11 // named bytes without an entry around them
	kindSegmentAdded   kind = 12 // a payload segment is whole and durable
	kindSegmentRemoved kind = 13 // a segment is no longer read
	kindHead           kind = 14 // first record of a checkpoint
	kindHeadSegment    kind = 15
	kindHeadReplica    kind = 16
	kindHeadForgotten  kind = 17
	kindLast                = kindHeadForgotten
)

var kindNames = [...]string{"", "state", "entry", "snapshot", "reset", "bootstrap", "remove", "forget", "import", "trim",
	"restate", "payload", "segment-added", "segment-removed", "head", "head-segment", "head-replica", "head-forgotten"}

func (k kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// flagNamed marks an entry whose command begins with the one header byte that names count from.
const flagNamed = 1

// replicaID is whose records they are. One node may hold two replicas of a shard in turn.
type replicaID struct{ shard, replica uint64 }

// descriptor is one line of a batch's directory.
//
//	0     1      2     4      8      16       24     32    40      44      48   52
//	kind  flags  zero  extra  shard  replica  index  term  offset  length  crc  zero  56
//
// offset counts from the batch's start; extra is an entry's command length or a payload's position.
type descriptor struct {
	kind           kind
	flags          uint8
	extra          uint32
	id             replicaID
	index, term    uint64
	offset, length uint32
	crc            uint32
}

const descriptorBytes = 56

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

var le = binary.LittleEndian

// put writes the descriptor over the first descriptorBytes of b.
func (d *descriptor) put(b []byte) {
	_ = b[descriptorBytes-1]
	b[0], b[1], b[2], b[3] = byte(d.kind), d.flags, 0, 0
	le.PutUint32(b[4:], d.extra)
	le.PutUint64(b[8:], d.id.shard)
	le.PutUint64(b[16:], d.id.replica)
	le.PutUint64(b[24:], d.index)
	le.PutUint64(b[32:], d.term)
	le.PutUint32(b[40:], d.offset)
	le.PutUint32(b[44:], d.length)
	le.PutUint32(b[48:], d.crc)
	le.PutUint32(b[52:], 0)
}

// decodeDescriptor reads one line of a directory whose bodies end at limit.
func decodeDescriptor(b []byte, limit uint32) (d descriptor, err error) {
	_ = b[descriptorBytes-1]
	d = descriptor{
		kind: kind(b[0]), flags: b[1], extra: le.Uint32(b[4:]),
		id:    replicaID{le.Uint64(b[8:]), le.Uint64(b[16:])},
		index: le.Uint64(b[24:]), term: le.Uint64(b[32:]),
		offset: le.Uint32(b[40:]), length: le.Uint32(b[44:]), crc: le.Uint32(b[48:]),
	}
	switch {
	case d.kind == 0 || d.kind > kindLast || d.flags&^flagNamed != 0 || b[2]|b[3] != 0 || le.Uint32(b[52:]) != 0:
		return d, fmt.Errorf("descriptor of %s: unknown kind, flag or padding", d.kind)
	case d.offset < headerBytes || d.offset > limit || d.length > limit-d.offset:
		return d, fmt.Errorf("descriptor of %s: body %d+%d outside the batch's %d bytes", d.kind, d.offset, d.length, limit)
	case (d.kind == kindEntry || d.kind == kindRestate) && uint64(d.extra)+1 > uint64(d.length):
		return d, fmt.Errorf("descriptor of %s: command of %d in a body of %d", d.kind, d.extra, d.length)
	}
	return d, nil
}

// record is a descriptor with the place of its body. The body is at hand while a batch is applied or scanned.
type record struct {
	descriptor
	segment uint64
	at      uint32 // of the body, in the segment
	body    []byte
	bad     bool // the body fails its checksum: only ever seen while recovering
}

func (r *record) String() string {
	return fmt.Sprintf("%s %d/%d index %d term %d at %d:%d+%d", r.kind, r.id.shard, r.id.replica, r.index, r.term, r.segment, r.at, r.length)
}
