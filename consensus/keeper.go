package consensus

import (
	"sync"

	"github.com/lni/dragonboat/v4"
)

// keeper decides when a replica asks for a snapshot and how much log stays behind it, by bytes.
//
// A local snapshot of an on-disk machine is only a mark: Sync, then the log may go. It bounds what a restart replays;
// what is kept behind it lets a follower catch up by log, which moves only the bytes of the gap.
type keeper struct {
	snapshotBytes, keepBytes int64
	ask                      func()

	mu      sync.Mutex
	total   int64 // bytes applied since the replica started
	last    int64 // total at the last snapshot
	asked   bool
	samples []sample // ascending; coarse, so few
}

// sample says that entries up to index make total bytes.
type sample struct {
	index uint64
	total int64
}

// samplesPerKeep is how finely the kept log is measured.
const samplesPerKeep = 64

// applied counts entries; it is called by the apply worker and must not wait.
func (k *keeper) applied(index uint64, bytes int64) {
	k.mu.Lock()
	k.total += bytes
	if n := len(k.samples); n == 0 || k.total-k.samples[n-1].total >= k.keepBytes/samplesPerKeep {
		k.samples = append(k.samples, sample{index, k.total})
	}
	ask := !k.asked && (k.total-k.last >= k.snapshotBytes || actSnapshotEarly.Now())
	k.asked = k.asked || ask
	k.mu.Unlock()
	if ask {
		k.ask()
	}
}

// option is the snapshot to ask for now.
func (k *keeper) option() dragonboat.SnapshotOption {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := dragonboat.SnapshotOption{OverrideCompactionOverhead: true, CompactionOverhead: keepAll}
	for len(k.samples) > 1 && k.samples[1].total <= k.total-k.keepBytes {
		k.samples = k.samples[1:]
	}
	if s := k.samples; len(s) > 0 && s[0].total <= k.total-k.keepBytes {
		atLogShortened.Hit()
		o.CompactionOverhead, o.CompactionIndex = 0, s[0].index
	}
	return o
}

// keepAll is a compaction overhead, in entries, that no log reaches.
const keepAll = 1 << 62

// taken says that the snapshot asked for was taken, or could not be.
func (k *keeper) taken(ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = false
	k.last = k.total
	if !ok {
		atSnapshotNotTaken.Hit()
		k.last -= k.snapshotBytes / 2 // not at once again
	}
}
