package kafka

import (
	"container/list"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch sessions (KIP-227): a consumer of many partitions names them once; after that it names what it wants differently, and is told of
// the partitions that have news.
//
//	client                          server
//	(id 0, epoch 0, all)        ──► admit: a session; answers all, and its id
//	(id, epoch 1, what differs) ──► open: epoch must be the next; answers partitions with news
//	(id, epoch 0, all)          ──► open: the old one ends; a new one
//	(id, epoch −1, all)         ──► open: the old one ends; none
//
// A lost response leaves the epochs apart, so that what it told is never taken for known: the client's next request is refused, and it
// starts again in full. Sessions belong to the node and not to the connection, as in Kafka: a client whose connection was idle goes on
// with its session on another.

// fetchPartition is one partition that a client wants, and what it was told of it last.
type fetchPartition struct {
	fetchKey
	offset    broker.Offset
	epoch     broker.LeaderEpoch // that the client knows
	lastEpoch broker.LeaderEpoch // of the last record it has
	maxBytes  int32
	gone      bool // forgotten in the request that is being read

	highWatermark, lastStable, logStart broker.Offset // −2: tell, whatever it is
}

// fetchKey names a partition as the client does: by topic id, or by name before version 13.
type fetchKey struct {
	name  string
	id    broker.TopicID
	index int32
}

const untold broker.Offset = -2

// fetchSession is the memory of one client's interest. While a fetch uses it, that fetch alone touches it.
type fetchSession struct {
	id    int32
	epoch int32             // that the next request must name
	byID  bool              // it names topics by id
	parts []*fetchPartition // in the order of reading: who got records goes to the end
	index map[fetchKey]*fetchPartition

	// Of the node's list of sessions, under its lock.
	size int  // partitions
	busy bool // a fetch is using it
	used time.Time
	at   *list.Element
}

// fetchSessions are the sessions of a node.
type fetchSessions struct {
	limits Limits

	mu         sync.Mutex
	byID       map[int32]*fetchSession
	idle       *list.List // *fetchSession, the longest unused first; busy ones are not in it
	partitions int        // in all sessions
}

func newFetchSessions(l Limits) *fetchSessions {
	return &fetchSessions{limits: l, byID: map[int32]*fetchSession{}, idle: list.New()}
}

// partitionsAsked lists what a request names, in its order.
func partitionsAsked(q *kmsg.FetchRequest) []*fetchPartition {
	n := 0
	for i := range q.Topics {
		n += len(q.Topics[i].Partitions)
	}
	all, asked := make([]fetchPartition, n), make([]*fetchPartition, n)
	n = 0
	for i := range q.Topics {
		t := &q.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			all[n] = fetchPartition{
				fetchKey:  fetchKey{t.Topic, t.TopicID, p.Partition},
				offset:    broker.Offset(p.FetchOffset),
				epoch:     broker.LeaderEpoch(p.CurrentLeaderEpoch),
				lastEpoch: broker.LeaderEpoch(p.LastFetchedEpoch),
				maxBytes:  max(p.PartitionMaxBytes, 0), highWatermark: untold,
			}
			asked[n] = &all[n]
			n++
		}
	}
	return asked
}

// open gives what a request is about: its own partitions, or those of the session it names, as it changes them. A session that is given
// is the caller's until done.
func (s *fetchSessions) open(q *kmsg.FetchRequest) (*fetchSession, []*fetchPartition, int16) {
	asked := partitionsAsked(q)
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.byID[q.SessionID]
	if q.SessionEpoch <= 0 {
		if x != nil {
			s.removeLocked(x)
		}
		return nil, asked, errNone
	}
	switch {
	case x == nil:
		return nil, nil, errFetchSessionIDNotFound
	case x.epoch != q.SessionEpoch || x.busy:
		return nil, nil, errInvalidFetchSessionEpoch
	case x.byID != (q.Version >= fetchVersionIDs):
		return nil, nil, errFetchSessionTopicID
	}
	x.forget(q)
	x.merge(asked)
	grown := len(x.parts) - x.size
	switch {
	case len(x.parts) == 0:
		s.removeLocked(x)
		return nil, nil, errNone
	case grown > 0 && s.partitions+grown > s.limits.FetchSessionPartitionsMax, !namesFit(asked):
		s.removeLocked(x)
		return nil, nil, errFetchSessionIDNotFound
	}
	x.size += grown
	s.partitions += grown
	x.epoch = nextFetchEpoch(x.epoch)
	x.busy = true
	s.idle.Remove(x.at)
	return x, x.parts, errNone
}

// nextFetchEpoch wraps at the largest to 1: 0 begins a session.
func nextFetchEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

// namesFit: what no topic can be called is not remembered, so that a partition's cost is bounded.
func namesFit(ps []*fetchPartition) bool {
	for _, p := range ps {
		if len(p.name) > fetchSessionNameBytesMax {
			return false
		}
	}
	return true
}

// forget takes out what the client no longer wants.
func (x *fetchSession) forget(q *kmsg.FetchRequest) {
	n := 0
	for i := range q.ForgottenTopics {
		t := &q.ForgottenTopics[i]
		for _, index := range t.Partitions {
			key := fetchKey{t.Topic, t.TopicID, index}
			if p, ok := x.index[key]; ok {
				p.gone = true
				delete(x.index, key)
				n++
			}
		}
	}
	if n == 0 {
		return
	}
	kept := make([]*fetchPartition, 0, len(x.parts)-n)
	for _, p := range x.parts {
		if !p.gone {
			kept = append(kept, p)
		}
	}
	x.parts = kept
}

// merge adds partitions, or takes over what the client wants of one differently; what it was told stays.
func (x *fetchSession) merge(asked []*fetchPartition) {
	for _, p := range asked {
		old, ok := x.index[p.fetchKey]
		if !ok {
			x.parts = append(x.parts, p)
			x.index[p.fetchKey] = p
			continue
		}
		old.offset, old.epoch, old.lastEpoch, old.maxBytes = p.offset, p.epoch, p.lastEpoch, p.maxBytes
	}
}

// admit makes a session of a request that wants one, if there is room; its id, or 0.
func (s *fetchSessions) admit(q *kmsg.FetchRequest, asked []*fetchPartition, told []fetchedPartition) int32 {
	if q.Version < fetchVersionSessions || q.SessionEpoch != 0 || len(asked) == 0 || !namesFit(asked) {
		return 0
	}
	x := &fetchSession{epoch: 1, byID: q.Version >= fetchVersionIDs, index: make(map[fetchKey]*fetchPartition, len(asked)), used: time.Now()}
	for i, p := range asked {
		p.tell(&told[i])
	}
	x.merge(asked)
	x.rotate(told, len(asked) == len(x.parts))
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.roomLocked(len(x.parts)) {
		return 0
	}
	for x.id == 0 || s.byID[x.id] != nil {
		x.id = randomSessionID()
	}
	s.byID[x.id] = x
	x.size = len(x.parts)
	s.partitions += x.size
	x.at = s.idle.PushBack(x)
	return x.id
}

// randomSessionID is never negative; that nobody can guess it keeps clients out of each other's sessions.
func randomSessionID() int32 {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0 // it never fails (crypto/rand)
	}
	return int32(binary.BigEndian.Uint32(b[:]) & math.MaxInt32)
}

// roomLocked makes room for one more session of n partitions, ending those that nobody used for a while.
func (s *fetchSessions) roomLocked(n int) bool {
	for len(s.byID) >= s.limits.FetchSessionsMax || s.partitions+n > s.limits.FetchSessionPartitionsMax {
		first := s.idle.Front()
		if first == nil || time.Since(first.Value.(*fetchSession).used) < fetchSessionKeep {
			return false
		}
		s.removeLocked(first.Value.(*fetchSession))
	}
	return true
}

func (s *fetchSessions) removeLocked(x *fetchSession) {
	if s.byID[x.id] != x {
		return
	}
	delete(s.byID, x.id)
	s.partitions -= x.size
	if !x.busy {
		s.idle.Remove(x.at)
	}
}

// done notes what the client is told, gives the session back, and says which of its partitions have news.
func (s *fetchSessions) done(x *fetchSession, told []fetchedPartition) (news []bool) {
	news = make([]bool, len(told))
	for i, p := range x.parts {
		news[i] = p.tell(&told[i])
	}
	x.rotate(told, true)
	s.unused(x)
	return news
}

// unused gives a session back.
func (s *fetchSessions) unused(x *fetchSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.busy, x.used = false, time.Now()
	if s.byID[x.id] == x { // else it ended meanwhile, on another connection
		x.at = s.idle.PushBack(x)
	}
}

// tell notes what a client is told of a partition, and says whether it is news: records, an error, another end or start.
func (p *fetchPartition) tell(out *fetchedPartition) (news bool) {
	news = len(out.Batches) > 0 || out.Err != nil || out.Diverging != nil ||
		p.highWatermark != out.HighWatermark || p.lastStable != out.LastStableOffset || p.logStart != out.LogStartOffset
	p.highWatermark, p.lastStable, p.logStart = out.HighWatermark, out.LastStableOffset, out.LogStartOffset
	if out.Err != nil {
		p.highWatermark = untold // that it is well again is news
	}
	return news
}

// rotate puts partitions that got records behind the others, so that none starves when answers are full.
func (x *fetchSession) rotate(told []fetchedPartition, aligned bool) {
	if !aligned {
		return // a partition was named twice
	}
	var fed []*fetchPartition
	kept := make([]*fetchPartition, 0, len(x.parts))
	for i, p := range x.parts {
		if len(told[i].Batches) > 0 {
			fed = append(fed, p)
		} else {
			kept = append(kept, p)
		}
	}
	if len(fed) > 0 && len(kept) > 0 {
		x.parts = append(kept, fed...)
	}
}

// counts are the sessions, and the partitions in them.
func (s *fetchSessions) counts() (sessions, partitions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID), s.partitions
}

// String is the state on one line.
func (s *fetchSessions) String() string {
	n, ps := s.counts()
	return fmt.Sprintf("%d fetch sessions of %d partitions", n, ps)
}
