package consensus

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/tallymq/tallymq/consensus/journal"
)

// payloads is the part of the journal that is not Raft's log.
type payloads interface {
	ReadPayload(shard, replica uint64, n journal.Name, dst []byte) ([]byte, error)
	HasPayload(shard, replica uint64, n journal.Name) bool
	WritePayloads(shard, replica uint64, ps []journal.Payload) error
	entries
	ForgetReplica(shard, replica uint64) error
}

// puller fetches the payloads that a replica's rows name and its journal lacks. A mark on disk says that this may be
// so, from before a snapshot is installed until nothing is missing; what was fetched before a crash is not fetched again.
type puller struct {
	host           *Host
	shard, replica uint64
	machine        Machine
	mark           string

	mu         sync.Mutex
	generation uint64 // rises with every reason to look again
	whole      bool
	running    bool
	pulled     int64 // bytes
}

// namesPerPass bounds what one walk over the rows remembers.
const namesPerPass = 1 << 16

func newPuller(h *Host, shard, replica uint64, m Machine) (*puller, error) {
	p := &puller{host: h, shard: shard, replica: replica, machine: m, whole: true}
	p.mark = markPath(h.o.Dir, shard, replica)
	if _, err := h.o.FS.Stat(p.mark); err == nil {
		atPullResumed.Hit()
		p.whole = false
	} else if !isNotExist(err) {
		return nil, fmt.Errorf("consensus: look for %s: %w", p.mark, err)
	}
	return p, nil
}

// begin makes it durable that payloads may be missing from now on.
func (p *puller) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.generation++
	p.whole = false
	return writeFileAtomically(p.host.o.FS, p.mark, []byte("payloads may be missing\n"))
}

func (p *puller) isWhole() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.whole
}

// run pulls in the background until nothing is missing or the replica stops.
func (p *puller) run() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.whole || p.running {
		return
	}
	p.running = p.host.background(p.shard, p.replica, p.loop)
}

func (p *puller) loop(ctx context.Context) {
	for ctx.Err() == nil {
		p.mu.Lock()
		generation := p.generation
		p.mu.Unlock()
		missing, err := p.pass(ctx)
		if err == nil && missing == 0 {
			if err = p.finish(generation); err == nil {
				return
			}
		}
		if err != nil && ctx.Err() == nil {
			atPullInterrupted.Hit()
			p.host.o.Logger.Warn("pulling payloads, will go on", "shard", p.shard, "replica", p.replica, "err", err)
			sleep(ctx, 10*retryEvery)
		}
	}
	p.mu.Lock()
	p.running = false
	p.mu.Unlock()
}

var errPullBreaks = errors.New("the pull was broken off")

var errLookAgain = errors.New("another snapshot was installed meanwhile")

// finish forgets the mark if nothing new began meanwhile.
func (p *puller) finish(generation uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.generation != generation {
		atPullOvertaken.Hit()
		return errLookAgain
	}
	if err := p.host.o.FS.Remove(p.mark); err != nil && !isNotExist(err) {
		return err
	}
	if err := syncDir(p.host.o.FS, p.host.o.Dir); err != nil {
		return err
	}
	atReplicaWhole.Hit()
	p.whole, p.running = true, false
	p.host.o.Logger.Info("replica is whole", "shard", p.shard, "replica", p.replica, "pulled", p.pulled)
	return nil
}

// pass walks the rows once and fetches what it met. An error means that some of it could not be had.
func (p *puller) pass(ctx context.Context) (missing int, err error) {
	var names []journal.Name
	has := func(n journal.Name) bool { return p.host.payloads.HasPayload(p.shard, p.replica, n) }
	err = p.machine.Missing(ctx, has, func(n journal.Name) bool {
		names = append(names, n)
		return len(names) < namesPerPass
	})
	if err != nil {
		return 0, fmt.Errorf("list missing payloads: %w", err)
	}
	missing = len(names)
	for len(names) > 0 {
		n, bytes := 0, 0
		for n < len(names) && n < pullNamesMax && (n == 0 || bytes+int(names[n].Length) <= p.host.o.Limits.PullBatchBytes) {
			bytes += int(names[n].Length)
			n++
		}
		got, ferr := p.fetch(ctx, names[:n])
		if ferr != nil {
			return missing, ferr
		}
		p.mu.Lock()
		p.pulled += got
		p.mu.Unlock()
		names = names[n:]
		if actPullBreaks.Now() {
			return missing, errPullBreaks
		}
		sleep(ctx, time.Duration(float64(got)/float64(p.host.o.Limits.PullBytesPerSecond)*float64(time.Second)))
		if ctx.Err() != nil {
			return missing, ctx.Err()
		}
	}
	return missing, nil
}

// fetch asks one peer after the other for what is still lacking. Names that no peer has were deleted since the walk.
func (p *puller) fetch(ctx context.Context, names []journal.Name) (got int64, err error) {
	var unreachable error
	asked := false
	for _, node := range p.host.hostsOf(p.shard) {
		if node == p.host.o.Node || len(names) == 0 {
			continue
		}
		rest, bytes, err := p.fetchFrom(ctx, node, names)
		got += bytes
		if err != nil {
			atPullNextPeer.Hit()
			unreachable = err
			continue
		}
		asked = true
		names = rest
	}
	if len(names) > 0 && (unreachable != nil || !asked) {
		return got, fmt.Errorf("%d payloads not found yet: %w", len(names), errors.Join(ErrUnreachable, unreachable))
	}
	if len(names) > 0 {
		atPullFoundNowhere.Hit()
		sleep(ctx, retryEvery) // deleted, or not yet applied there; the next walk tells
	}
	return got, nil
}

func (p *puller) fetchFrom(ctx context.Context, node NodeID, names []journal.Name) (rest []journal.Name, bytes int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
	defer cancel()
	reply, err := p.host.Call(ctx, node, methodPayloads, appendNames(nil, p.shard, names))
	if err != nil {
		return names, 0, err
	}
	found, err := decodePayloads(reply, names)
	if err != nil {
		return names, 0, err
	}
	if len(found) == 0 {
		return names, 0, nil
	}
	if err := p.host.payloads.WritePayloads(p.shard, p.replica, found); err != nil {
		return names, 0, fmt.Errorf("store %d payloads: %w", len(found), err)
	}
	atPayloadsPulled.Hit()
	have := make(map[journal.Name]bool, len(found))
	for _, f := range found {
		have[f.Name] = true
		bytes += int64(len(f.Bytes))
	}
	for _, n := range names {
		if !have[n] {
			rest = append(rest, n)
		}
	}
	return rest, bytes, nil
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// forget removes the mark of a replica that is gone.
func (p *puller) forget() error {
	mark := markPath(p.host.o.Dir, p.shard, p.replica)
	if err := p.host.o.FS.Remove(mark); err != nil && !isNotExist(err) {
		return fmt.Errorf("consensus: remove %s: %w", mark, err)
	}
	return nil
}

func markPath(dir string, shard, replica uint64) string {
	return filepath.Join(dir, fmt.Sprintf("pull-%d-%d", shard, replica))
}
