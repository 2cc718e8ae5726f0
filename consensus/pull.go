package consensus

import (
	"context"
	"errors"
	"fmt"
	"iter"
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

// puller fetches the payloads that a replica's rows name and its journal lacks. A mark on disk says of which entries
// that may be so, from before a snapshot is installed until nothing is missing; it moves on with the work, so what was
// fetched before a crash is not looked at again.
type puller struct {
	host           *Host
	shard, replica uint64
	machine        Machine
	mark           string

	mu         sync.Mutex
	generation uint64    // rises with every reason to look again
	doubt      entryspan // payloads of these entries may be missing; empty: whole
	installing bool      // rows are being replaced: what a pass sees of them proves nothing
	running    bool
	pulled     int64 // bytes
}

func newPuller(h *Host, shard, replica uint64, m Machine) (*puller, error) {
	p := &puller{host: h, shard: shard, replica: replica, machine: m}
	p.mark = markPath(h.o.Dir, shard, replica)
	var err error
	if p.doubt, err = readMark(h.o.FS, p.mark); err != nil {
		return nil, err
	}
	if !p.doubt.empty() {
		atPullResumed.Hit()
	}
	return p, nil
}

// begin makes it durable that payloads of these entries may be missing from now on.
func (p *puller) begin(span entryspan) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.generation++
	p.doubt = p.doubt.with(span)
	return writeMark(p.host.o.FS, p.mark, p.doubt)
}

// install is begin before a snapshot replaces the rows, of which those up to applied are true: whatever the new rows
// name among these entries, the old rows name too, for nothing is ever named again. So only later entries are in doubt,
// and what the journal knows to be damaged.
func (p *puller) install(applied uint64) error {
	p.mu.Lock()
	p.installing = true
	p.mu.Unlock()
	span := entriesFrom(applied + 1)
	for _, d := range p.host.payloads.Damages() {
		if d.Kind == journal.LostSegment || d.Shard == p.shard && d.Replica == p.replica {
			span = span.with(damagedSpan(d))
		}
	}
	return p.begin(span)
}

// installed says that the new rows are there: only now can a pass tell what is missing. After an install that failed
// nothing is told until the replica is opened anew, and finds the mark.
func (p *puller) installed() {
	p.mu.Lock()
	p.installing = false
	p.generation++
	p.mu.Unlock()
	p.run()
}

func (p *puller) isWhole() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doubt.empty()
}

// run pulls in the background until nothing is missing or the replica stops.
func (p *puller) run() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doubt.empty() || p.running {
		return
	}
	p.running = p.host.background(p.shard, p.replica, p.loop)
}

func (p *puller) loop(ctx context.Context) {
	for ctx.Err() == nil {
		whole, err := p.pass(ctx)
		if whole {
			return
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

// pass walks the entries in doubt once, in order, and fetches what is missing as it goes. What no peer has was deleted
// since it was listed; the next pass, which begins there, tells. An error means that some of it could not be had.
func (p *puller) pass(ctx context.Context) (whole bool, err error) {
	p.mu.Lock()
	generation, span := p.generation, p.doubt
	p.mu.Unlock()
	rest := entryspan{}
	for !span.empty() {
		names, err := p.missing(ctx, span)
		if err != nil {
			return false, err
		}
		for batch := range p.batches(names) {
			unfound, err := p.fetch(ctx, batch)
			if err != nil {
				return false, err
			}
			for _, n := range unfound {
				rest = rest.with(entryspan{n.Index, n.Index})
			}
			if actPullBreaks.Now() {
				return false, errPullBreaks
			}
		}
		next := entryspan{}
		if len(names) == p.host.o.Limits.PullWalkNames {
			// The last entry may have more names. One whose names alone fill a walk is left after it: what remains of it is in rest.
			next = entryspan{max(names[len(names)-1].Index, span.first+1), span.last}
		}
		if whole, err = p.advance(generation, rest.with(next)); whole || err != nil {
			return whole, err
		}
		span = next
	}
	sleep(ctx, retryEvery)
	return false, nil
}

// missing lists, up to a bound, what rows name in a span of entries and the journal lacks.
func (p *puller) missing(ctx context.Context, span entryspan) (names []journal.Name, err error) {
	has := func(n journal.Name) bool { return p.host.payloads.HasPayload(p.shard, p.replica, n) }
	err = p.machine.Missing(ctx, span.first, span.last, has, func(n journal.Name) bool {
		names = append(names, n)
		return len(names) < p.host.o.Limits.PullWalkNames
	})
	if err != nil {
		return nil, fmt.Errorf("list missing payloads: %w", err)
	}
	return names, nil
}

// advance says that only a part of what was in doubt still is, unless another reason to look came up meanwhile, or rows
// are being replaced: a pass over the old ones finds nothing of what the new ones will name.
func (p *puller) advance(generation uint64, doubt entryspan) (whole bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.generation != generation || p.installing:
		atPullOvertaken.Hit()
		return false, errLookAgain
	case doubt == p.doubt:
		return false, nil
	case !doubt.empty():
		p.doubt = doubt
		return false, writeMark(p.host.o.FS, p.mark, doubt)
	}
	if err := removeMark(p.host.o.FS, p.mark); err != nil {
		return false, err
	}
	atReplicaWhole.Hit()
	p.doubt, p.running = doubt, false
	p.host.o.Logger.Info("replica is whole", "shard", p.shard, "replica", p.replica, "pulled", p.pulled)
	return true, nil
}

var errPullBreaks = errors.New("the pull was broken off")

var errLookAgain = errors.New("there is more to look at now")

// batches cuts names into what one request asks for.
func (p *puller) batches(names []journal.Name) iter.Seq[[]journal.Name] {
	return func(yield func([]journal.Name) bool) {
		for len(names) > 0 {
			n, bytes := 0, 0
			for n < len(names) && n < pullNamesMax && (n == 0 || bytes+int(names[n].Length) <= p.host.o.Limits.PullBatchBytes) {
				bytes += int(names[n].Length)
				n++
			}
			if !yield(names[:n]) {
				return
			}
			names = names[n:]
		}
	}
}

// fetch asks one peer after the other for what is still lacking, at the rate allowed. Unfound is what no peer has.
func (p *puller) fetch(ctx context.Context, names []journal.Name) (unfound []journal.Name, err error) {
	var unreachable error
	asked, got := false, int64(0)
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
	p.mu.Lock()
	p.pulled += got
	p.mu.Unlock()
	if len(names) > 0 && (unreachable != nil || !asked) {
		return names, fmt.Errorf("%d payloads not found yet: %w", len(names), errors.Join(ErrUnreachable, unreachable))
	}
	if len(names) > 0 {
		atPullFoundNowhere.Hit()
	}
	sleep(ctx, time.Duration(float64(got)/float64(p.host.o.Limits.PullBytesPerSecond)*float64(time.Second)))
	return names, ctx.Err()
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
	return removeMark(p.host.o.FS, markPath(p.host.o.Dir, p.shard, p.replica))
}
