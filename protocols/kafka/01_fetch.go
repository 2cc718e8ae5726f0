package kafka

import (
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch (key 1): reads record batches, waiting for them if there are few.
//
// Behaviour
//   - Sessions (KIP-227): see 01_fetch_session.go. A session that ended or was never given: FETCH_SESSION_ID_NOT_FOUND. Another epoch than
//     its next, or a fetch of it that is not answered yet: INVALID_FETCH_SESSION_EPOCH. Topics by name in a session of topic ids, or the
//     other way round: FETCH_SESSION_TOPIC_ID_ERROR. When no session can be given: session id 0, as in Kafka.
//   - A client over its quota (consumer_byte_rate) is told to rest and nothing else, not even news of its session, as in Kafka; then its
//     connection rests.
//   - A partition that is unknown or refused answers at once, with the others as they are.
//   - A wait ends early when the connection closes or the server stops. Of one connection one fetch is answered at a time, and the next is
//     started when it has left: who reads slowly holds at most one answer.
//   - read_committed ends at the last stable offset, and lists the aborted transactions of which records are returned, by their
//     first offset. Control batches are returned as Kafka writes them; clients skip them.
//   - Batches go to the socket as they lie in the broker's memory and are released after that.
//   - The replica id is ignored: there are no Kafka followers here. Rack is ignored: only leaders serve.
//
// Versions
//   - 4 is the first with record batches; 5 log start offset; 7 sessions; 9 leader epoch; 11 rack; 12 flexible, last fetched
//     epoch and diverging epoch (KIP-595), current leader; 13 topic ids; 15 replica state; 16 addresses of leaders (KIP-951).
//   - 17 and 18 are for Kafka's own followers.
func fetchLayout() *layout {
	return parseLayout("0-14:w w w 3+:w 4+:b 7+:w 7+:w [ 0-12:s 13+:u [ w 9+:w l 12+:w 5+:l w ] ] 7+:[ 0-12:s 13+:u ( w ) ] 11+:s")
}

const (
	fetchVersionSessions = 7
	fetchVersionFlexible = 12
	fetchVersionIDs      = 13
	fetchVersionLeaders  = 16
)

// fetched is the answer to a Fetch.
type fetched struct {
	server  *Server
	version int16
	code    int16
	restMs  int32
	session int32
	topics  []fetchedTopic
	brokers []broker.Node
	result  *broker.ReadResult // what the batches are borrowed from; may be nil
	held    int64
}

// fetchedTopic is a run of partitions of one topic; a topic may have several.
type fetchedTopic struct {
	name       string
	id         broker.TopicID
	partitions []fetchedPartition
}

type fetchedPartition struct {
	index int32
	broker.ReadPartitionResult
}

func fetch(r *request) answer {
	q := r.body.(*kmsg.FetchRequest)
	a := &fetched{server: r.server, version: q.Version}
	session, asked, code := r.server.sessions.open(q)
	if code != errNone {
		a.code = code
		return a
	}
	allowed, restMs := r.allowed(broker.QuotaConsumerBytes)
	if restMs > 0 {
		a.restMs = restMs
		if session != nil {
			a.session = session.id
			r.server.sessions.unused(session)
		}
		return a
	}
	told := a.read(r, q, asked, allowed)
	a.restMs = r.charge(broker.QuotaConsumerBytes, a.held)
	if session != nil {
		a.session = session.id
		news := r.server.sessions.done(session, told)
		a.gather(asked, told, func(i int) bool { return news[i] })
	} else {
		a.session = r.server.sessions.admit(q, asked, told)
		a.gather(asked, told, func(int) bool { return true })
	}
	a.findLeaders()
	return a
}

// read answers every partition asked for, in that order, with so many bytes as a quota allows (−1: there is none), or one batch.
func (a *fetched) read(r *request, q *kmsg.FetchRequest, asked []*fetchPartition, allowed int64) []fetchedPartition {
	read := &broker.Read{
		Client:    r.client,
		MinBytes:  q.MinBytes,
		MaxBytes:  r.server.fetchRoom(q.MaxBytes),
		MaxWait:   min(max(time.Duration(q.MaxWaitMillis)*time.Millisecond, 0), fetchWaitMax),
		Committed: q.IsolationLevel == 1,
	}
	if allowed >= 0 {
		read.MaxBytes = int32(min(int64(read.MaxBytes), allowed))
	}
	told := make([]fetchedPartition, len(asked))
	at := planFetch(r, asked, told, read)
	if len(at) < len(asked) {
		read.MaxWait, read.MinBytes = 0, 0 // a refusal is answered at once
	}
	read.MinBytes = min(read.MinBytes, read.MaxBytes)
	if len(at) > 0 {
		a.fill(r, read, at)
	} else if len(asked) == 0 && read.MaxWait > 0 {
		idle(r, read.MaxWait) // nothing asked for: Kafka waits, too, so that such a client does not spin
	}
	return told
}

func idle(r *request, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.ctx.Done():
	}
}

// fetchRoom is how much a fetch may read now: a share of the room that unsent answers leave. Long polls under way are not
// counted, so the bound is exceeded by what many of them find at once; each takes what its client asked for at most.
func (s *Server) fetchRoom(asked int32) int32 {
	room := (s.limits.FetchBytesMax - s.fetched.Load()) / fetchShare
	return int32(min(int64(asked), fetchBytesMax, max(room, fetchBytesMin)))
}

// gather puts what is told under its topics, in order, without what is not to be told.
func (a *fetched) gather(asked []*fetchPartition, told []fetchedPartition, tell func(i int) bool) {
	n, first, last := 0, 0, (*fetchPartition)(nil)
	for i, p := range asked {
		if !tell(i) {
			continue
		}
		if last == nil || p.id != last.id || p.name != last.name {
			a.topics = append(a.topics, fetchedTopic{name: p.name, id: p.id})
			first = n
		}
		told[n] = told[i]
		n++
		a.topics[len(a.topics)-1].partitions = told[first:n]
		last = p
	}
}

// planFetch finds topics and partitions: what is there is added to read, and gives its place in at; the rest is refused.
func planFetch(r *request, asked []*fetchPartition, told []fetchedPartition, read *broker.Read) (at []*fetchedPartition) {
	read.Partitions = make([]broker.ReadPartition, 0, len(asked))
	at = make([]*fetchedPartition, 0, len(asked))
	var t broker.TopicRef
	var err error
	for i, in := range asked {
		out := &told[i]
		out.index = in.index
		if i == 0 || in.id != asked[i-1].id || in.name != asked[i-1].name {
			t, err = findFetched(r, in)
		}
		refusal := err
		if refusal == nil {
			refusal = hasPartition("read", t, in.index)
		}
		if refusal != nil {
			out.refuse(refusal)
			continue
		}
		read.Partitions = append(read.Partitions, broker.ReadPartition{
			Partition: broker.Partition{Topic: t.ID, Index: in.index}, Offset: in.offset, Epoch: in.epoch, LastEpoch: in.lastEpoch, MaxBytes: in.maxBytes,
		})
		at = append(at, out)
	}
	return at
}

func findFetched(r *request, p *fetchPartition) (broker.TopicRef, error) {
	switch version := r.header.version; {
	case version < fetchVersionIDs:
		return r.server.broker.FindTopic(r.ctx, p.name, broker.TopicID{})
	case p.id.IsZero():
		return broker.TopicRef{}, broker.Refuse(broker.CodeUnknownTopicID, "read", "topic id zero")
	default:
		return r.server.broker.FindTopic(r.ctx, "", p.id)
	}
}

func (out *fetchedPartition) refuse(err error) {
	out.ReadPartitionResult = broker.ReadPartitionResult{Err: err, HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1}
}

func (a *fetched) fill(r *request, read *broker.Read, at []*fetchedPartition) {
	res, err := r.server.broker.Read(r.ctx, read)
	if err != nil {
		if r.ctx.Err() != nil && broker.CodeOf(err) == broker.CodeInternal {
			err = broker.Refuse(broker.CodeShuttingDown, "read", "")
		}
		for _, out := range at {
			out.refuse(err)
		}
		return
	}
	a.result = res
	for i, out := range at {
		out.ReadPartitionResult = res.Partitions[i]
		if out.Err != nil {
			out.Batches = nil
		}
		for _, b := range out.Batches {
			a.held += int64(len(b))
		}
	}
	r.server.fetched.Add(a.held)
}

// findLeaders adds the nodes' addresses if a partition moved and the version has a place for them.
func (a *fetched) findLeaders() {
	if a.version < fetchVersionLeaders {
		return
	}
	for i := range a.topics {
		for j := range a.topics[i].partitions {
			if node, _ := leader(a.topics[i].partitions[j].Err); node >= 0 {
				a.brokers = a.server.broker.Nodes()
				return
			}
		}
	}
}

func (a *fetched) release() {
	if a.result != nil {
		a.result.Release()
		a.result = nil
		a.server.fetched.Add(-a.held)
	}
}
