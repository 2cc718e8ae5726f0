package journal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options says where a journal lies and how much it may use. Only FS and Dir are required.
type Options struct {
	FS                  vfs.FS       // every file is opened through it; required
	Dir                 string       // required
	Direct              DirectOpener // nil: buffered writes and fdatasync
	SegmentBytes        int64        // default 256 MiB
	CacheBytes          int64        // recent batches kept in memory; default 256 MiB
	IndexCacheBytes     int64        // footer blocks kept in memory; default 32 MiB
	ReserveBytes        int64        // kept back for garbage collection, votes and snapshots; default with Direct two segments, else none
	ScrubBytesPerSecond int64        // 0: default 8 MiB/s; <0 off
	RecycledSegmentsMax int          // dead or zeroed segments kept for reuse; default 4
	Logger              *slog.Logger
	OnDamage            func(Damage)     // called from a goroutine of the journal's own
	OnSpace             func(SpaceLevel) // called from a goroutine of the journal's own
	OnFatal             func(error)      // a failed write or sync of the append path: the node must stop. default panics
	Live                Liveness         // may be set later by SetLiveness
}

// withDefaults fills in what is left open and refuses what cannot be.
func (o Options) withDefaults() (Options, error) {
	if o.FS == nil || o.Dir == "" {
		return o, errors.New("journal: FS and Dir are required")
	}
	defaultTo(&o.SegmentBytes, segmentBytesDefault)
	defaultTo(&o.CacheBytes, cacheBytesDefault)
	defaultTo(&o.IndexCacheBytes, indexCacheBytesDefault)
	defaultTo(&o.ScrubBytesPerSecond, scrubBytesDefault)
	defaultTo(&o.RecycledSegmentsMax, recycledDefault)
	if o.SegmentBytes < segmentBytesMin || o.SegmentBytes > segmentBytesMax || o.SegmentBytes%alignBytes != 0 {
		return o, fmt.Errorf("journal: SegmentBytes %d: between %d and %d in steps of %d", o.SegmentBytes, segmentBytesMin, segmentBytesMax, alignBytes)
	}
	if o.Direct != nil {
		defaultTo(&o.ReserveBytes, reserveSegmentsDefault*o.SegmentBytes)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.OnFatal == nil {
		o.OnFatal = func(err error) {
			panic(fmt.Sprintf("journal: the append path failed, this node cannot go on: %v", err))
		}
	}
	return o, nil
}

func defaultTo[T int | int64](p *T, v T) {
	if *p == 0 {
		*p = v
	}
}

// Journal is a node's log store. Every method may be called concurrently.
type Journal struct {
	opts     Options
	fs       vfs.FS
	dir      string
	log      *slog.Logger
	lock     io.Closer
	noDirect atomic.Bool
	full     atomic.Bool // the last segment could not be made for want of space

	append appender
	cache  cache

	// The committer's own: nobody else reads or writes these.
	out     *writer
	synced  position
	headEnd int64

	mu       sync.RWMutex // the ledger: the committer changes it, everybody reads it
	ledger   *ledger
	counts   counts   // under mu
	arriving *segment // under mu: written by garbage collection, about to be added

	indexCache indexCache
	readers    *readers
	spares     spares
	space      space
	damage     damages
	notify     *notifier

	sealMu    sync.Mutex
	sealCond  sync.Cond
	toSeal    []toSeal
	sealAgain []toSeal
	sealStop  bool
	unsealed  []*segment // found by recovery

	collectMu sync.Mutex // one cycle at a time; ForgetReplica waits for it
	scrubMu   sync.Mutex
	live      atomic.Pointer[Liveness]
	reindexes chan uint64
	collects  chan struct{} // space is low

	stop   chan struct{}
	closed atomic.Bool
	wait   sync.WaitGroup // all goroutines but the notifier
	told   sync.WaitGroup // the notifier
}

// Open opens or creates the journal under opts.Dir. It reads what a restart needs, applies the tail rule, finds damage,
// and makes all of that final by the head of a new segment before it returns.
func Open(opts Options) (*Journal, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	j := &Journal{opts: opts, fs: opts.FS, dir: opts.Dir, log: opts.Logger, stop: make(chan struct{}), reindexes: make(chan uint64, 16), collects: make(chan struct{}, 1)}
	j.append.room.L = &j.append.mu
	j.append.kick = make(chan struct{}, 1)
	j.append.submitted = map[replicaID]submitted{}
	j.sealCond.L = &j.sealMu
	j.cache.max = opts.CacheBytes
	j.indexCache.max = max(4, int(opts.IndexCacheBytes/alignBytes))
	j.indexCache.blocks = map[position]*indexBlock{}
	j.readers = newReaders(opts.FS, opts.Dir)
	j.notify = newNotifier(&j.opts)
	j.damage = damages{known: map[damageKey]Damage{}, report: func(Damage) {}, changed: make(chan struct{})}
	j.space.report = j.notify.space
	if opts.Live != nil {
		j.SetLiveness(opts.Live)
	}
	if err := j.fs.MkdirAll(j.dir, 0o755); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if j.lock, err = j.fs.Lock(j.path("LOCK")); err != nil {
		return nil, fmt.Errorf("journal: %s is in use: %w", j.dir, err)
	}
	if err := j.start(); err != nil {
		j.readers.close()
		return nil, errors.Join(fmt.Errorf("journal: open %s: %w", j.dir, err), j.lock.Close())
	}
	return j, nil
}

// start recovers, begins a new segment and starts the goroutines.
func (j *Journal) start() error {
	// The directory itself must survive.
	if err := j.syncParent(); err != nil {
		return err
	}
	if err := j.recover(); err != nil {
		return err
	}
	l := j.ledger
	old := l.active
	if old != nil && old.rowCount == 0 && len(old.rows) == 0 {
		// It said nothing that the new head does not say.
		delete(l.segments, old.number)
		old = nil
	}
	if old != nil {
		j.synced = position{old.number, old.end}
	}
	for id, r := range l.replicas {
		j.append.submitted[id] = r.state
	}
	number := l.nextSegment
	l.nextSegment++
	// Nothing is durable of this open yet: a crash before the head is there leaves the next one to decide again.
	if err := j.begin(number); err != nil {
		return err
	}
	// From here on the cut is final, and files the head does not name are nobody's.
	if err := j.sweep(); err != nil {
		return errors.Join(err, j.out.close())
	}
	if old != nil {
		j.seal(old, nil)
	}
	for _, s := range j.unsealed {
		if l.segments[s.number] == s {
			j.seal(s, nil)
		}
	}
	j.unsealed = nil
	j.damage.tell(j.notify.damage)
	j.wait.Add(4)
	j.told.Add(1)
	go func() { defer j.told.Done(); j.notify.run() }()
	go j.commit()
	go j.sealer()
	go j.keeper()
	go j.collector()
	if j.opts.ScrubBytesPerSecond > 0 {
		j.wait.Add(1)
		go j.scrubber()
	}
	return nil
}

func (j *Journal) syncParent() error {
	d, err := j.fs.OpenDir(j.fs.PathDir(j.dir))
	if err != nil {
		return fmt.Errorf("open the parent of %s: %w", j.dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// sweep recycles the files that belong to no segment.
func (j *Journal) sweep() error {
	names, err := j.fs.List(j.dir)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	for _, name := range names {
		if n, ok := parseSegmentName(name); ok && j.ledger.segments[n] == nil {
			j.readers.drop(n)
			if err := j.recycle(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close writes what waits, with a marker that proves the last sync, and ends every goroutine of the journal.
func (j *Journal) Close() error {
	if j.closed.Swap(true) {
		return nil
	}
	close(j.stop)
	j.sealMu.Lock()
	j.sealStop = true
	j.sealCond.Broadcast()
	j.sealMu.Unlock()
	j.wait.Wait()
	j.collectMu.Lock() // a cycle that somebody asked for
	defer j.collectMu.Unlock()
	err := j.out.close()
	j.sealMu.Lock()
	for _, t := range j.toSeal {
		if t.writer != nil {
			err = errors.Join(err, t.writer.close())
		}
	}
	j.sealMu.Unlock()
	j.readers.close()
	j.notify.close()
	j.told.Wait()
	return errors.Join(err, j.lock.Close())
}

// SetLiveness tells garbage collection whom to ask. Until then everything is kept.
func (j *Journal) SetLiveness(l Liveness) { j.live.Store(&l) }
