package engine

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// Replicas have equal state at an equal index, or one of them is wrong: a bug, or memory
// that flipped a bit. The leader's Check makes every replica note its digest at one
// index; a replica that noted another one asks the others, and who is in the minority
// goes out of service and is rebuilt, be it a follower or the leader.

// notedQuestion asks for a shard's digest at an index.
type notedQuestion struct {
	Shard broker.ShardID `json:"shard"`
	// Judge makes the node ask the others in turn, whether it is the one that is wrong.
	Judge bool `json:"judge"`
}

// notedAnswer is the digest at the last check; At 0: no replica or no check.
type notedAnswer struct {
	At     uint64 `json:"at"`
	Digest uint64 `json:"digest"`
}

// check proposes the next Check, which names what the last one found.
func (l *lead) check() {
	cmd := command.Check{At: l.checkAt, Digest: l.checkDigest}
	out, ok := l.decide("check", cmd.AppendTo(nil))
	if !ok {
		return
	}
	var res command.CheckResult
	if err := res.Decode(out); err != nil {
		l.e.log.Error("check: result not readable", "shard", l.shard, "err", err)
		return
	}
	l.checkAt, l.checkDigest = res.At, res.Digest
}

func (e *Engine) serveNoted(_ context.Context, _ broker.NodeID, q notedQuestion) (notedAnswer, error) {
	r, ok := e.replica(q.Shard)
	if !ok || r.parts == nil {
		return notedAnswer{}, nil
	}
	if q.Judge {
		e.spawn(func(ctx context.Context) { e.verdict(ctx, r, false) })
	}
	return r.noted(), nil
}

func (r *replica) noted() notedAnswer {
	r.mu.RLock()
	defer r.mu.RUnlock()
	at, digest := r.parts.Noted()
	return notedAnswer{at, uint64(digest)}
}

// judge is called on the replica that noticed: it judges itself, and has the others do so.
func (e *Engine) judge(ctx context.Context, r *replica) { e.verdict(ctx, r, true) }

// verdict compares this replica's digest with the voters' at the same index; in a
// minority it retires. Without a majority either way nobody is stopped, and it is said.
func (e *Engine) verdict(ctx context.Context, r *replica, tell bool) {
	s, ok := e.view.Load().Shard(r.shard)
	if !ok {
		return
	}
	own := r.noted()
	same, other := 1, map[uint64]int{}
	for _, x := range s.Replicas {
		if x.Node == e.opt.Node || x.State != catalog.ReplicaVoting {
			continue
		}
		c, cancel := context.WithTimeout(ctx, barrierTimeout)
		var a notedAnswer
		err := e.call(c, x.Node, rpcNoted, notedQuestion{Shard: r.shard, Judge: tell}, &a)
		cancel()
		switch {
		case err != nil || a.At != own.At:
		case a.Digest == own.Digest:
			same++
		default:
			other[a.Digest]++
		}
	}
	most := 0
	for _, n := range other { //lint:sorted a maximum does not depend on the order
		most = max(most, n)
	}
	switch {
	case most >= s.Majority():
		e.log.Error("this replica's state is not the majority's: it goes out of service and is rebuilt", "shard", r.shard, "replica", r.id, "index", own.At)
		e.retire(r)
	case most > 0 && same < s.Majority():
		e.log.Error("replicas differ and there is no majority for either state: an operator must look", "shard", r.shard, "index", own.At)
	}
}
