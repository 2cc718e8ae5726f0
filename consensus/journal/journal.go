package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// Options says where a journal lies and how much it may use. Only FS and Dir are required.
type Options struct {
	FS                  vfs.FS       // every file is opened through it; required
	Dir                 string       // required
	Direct              DirectOpener // nil: buffered writes and fdatasync
	SegmentBytes        int64        // default 256 MiB
	CacheBytes          int64        // recent batches kept in memory; default 256 MiB
	IndexCacheBytes     int64        // footer blocks kept in memory; default 32 MiB
	ReserveBytes        int64        // space kept back for garbage collection, votes and snapshots
	ScrubBytesPerSecond int64        // 0: default 8 MiB/s; <0 off
	RecycledSegmentsMax int          // dead or zeroed segments kept for reuse; default 4
	Logger              *slog.Logger
	OnDamage            func(Damage)     // called from a goroutine of the journal's own
	OnSpace             func(SpaceLevel) // called from a goroutine of the journal's own
	OnFatal             func(error)      // a failed write or sync of the append path: the node must stop. default panics
	Live                Liveness         // may be set later by SetLiveness
}

// Journal is a node's log store.
type Journal struct{}

// Open opens or creates the journal under opts.Dir.
func Open(opts Options) (*Journal, error) { return nil, errors.ErrUnsupported }

// Factory hands this very journal to a NodeHost.
func (j *Journal) Factory() config.LogDBFactory { return nil }

// Close ends every goroutine of the journal and closes its files.
func (j *Journal) Close() error { return nil }

// ReadPayload appends the named bytes to dst.
func (j *Journal) ReadPayload(shard, replica uint64, n Name, dst []byte) ([]byte, error) {
	return dst, ErrNotFound
}

// HasPayload says whether the named bytes are here, whole.
func (j *Journal) HasPayload(shard, replica uint64, n Name) bool { return false }

// WritePayloads stores payload records; durable on return.
func (j *Journal) WritePayloads(shard, replica uint64, ps []Payload) error {
	return errors.ErrUnsupported
}

// ReadEntry returns an entry that Raft or a name still needs.
func (j *Journal) ReadEntry(shard, replica, index uint64) (pb.Entry, error) {
	return pb.Entry{}, ErrNotFound
}

// RepairEntry puts a peer's good copy in the place of a damaged one.
func (j *Journal) RepairEntry(shard, replica uint64, e pb.Entry) error { return errors.ErrUnsupported }

// Damages lists what is known to be damaged and not yet repaired.
func (j *Journal) Damages() []Damage { return nil }

// LastIndex is the index of the last entry of a replica's log, or its snapshot's.
func (j *Journal) LastIndex(shard, replica uint64) uint64 { return 0 }

// SetLiveness tells garbage collection whom to ask.
func (j *Journal) SetLiveness(Liveness) {}

// Collect runs one cycle of garbage collection now.
func (j *Journal) Collect(ctx context.Context) (CollectStats, error) { return CollectStats{}, nil }

// Scrub verifies every sealed segment once, now.
func (j *Journal) Scrub(ctx context.Context) (ScrubStats, error) { return ScrubStats{}, nil }

// Stats are counters since Open and the present sizes.
func (j *Journal) Stats() Stats { return Stats{} }

// ForgetReplica frees a replica's payload records too.
func (j *Journal) ForgetReplica(shard, replica uint64) error { return nil }

var _ = fmt.Sprint
var _ raftio.NodeInfo
