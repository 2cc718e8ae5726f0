package journal

import (
	"errors"
	"fmt"
)

// The errors callers tell apart.
var (
	ErrNotFound       = errors.New("journal: not found")
	ErrDamaged        = errors.New("journal: damaged")
	ErrUnknownReplica = errors.New("journal: replica not known to the state machine")
	ErrClosed         = errors.New("journal: closed")
	ErrStopped        = errors.New("journal: stopped by a failed write")
	// ErrVersion: a file was written by a version of the format that this program does not read.
	ErrVersion  = errors.New("journal: unknown format version")
	ErrMismatch = errors.New("journal: bytes do not match their name or term")
)

// DamageKind says what is damaged.
type DamageKind uint8

// The kinds of damage. Of an entry, index and term are known; of a lost entry only the index is, or nothing at all
// (Index 0: anything of this replica since its last checkpoint, its vote too); a payload is a record that only names need.
const (
	DamagedEntry DamageKind = iota + 1
	DamagedPayload
	LostEntry
	LostState
	LostSegment
)

func (k DamageKind) String() string {
	switch k {
	case DamagedEntry:
		return "damaged entry"
	case DamagedPayload:
		return "damaged payload"
	case LostEntry:
		return "lost entry"
	case LostState:
		return "lost state"
	case LostSegment:
		return "lost segment"
	}
	return fmt.Sprintf("damage kind %d", uint8(k))
}

// Damage is something that was durable once and cannot be read now. It is an error (errors.Is(err, ErrDamaged)).
// Repairable entries are put right by RepairEntry, payloads by WritePayloads; anything else needs the replica rebuilt
// from its peers under a new replica id.
type Damage struct {
	Shard, Replica uint64
	Index, Term    uint64
	Segment        uint64
	Offset, Length int64
	Kind           DamageKind
	Repairable     bool
}

// Error says what is damaged and where.
func (d *Damage) Error() string { return "journal: " + d.String() }

// Unwrap makes every damage an ErrDamaged.
func (d *Damage) Unwrap() error { return ErrDamaged }

func (d Damage) String() string {
	return fmt.Sprintf("%s: shard %d replica %d index %d term %d, segment %d offset %d length %d, repairable %t",
		d.Kind, d.Shard, d.Replica, d.Index, d.Term, d.Segment, d.Offset, d.Length, d.Repairable)
}
