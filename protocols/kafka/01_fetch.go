package kafka

import (
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch (key 1): reads record batches, waiting for them if there are few.
//
// Behaviour
//   - Sessions (KIP-227) are not kept: a client that asks for one gets a full answer with session id 0 and asks in full from
//     then on. One that names a session we never gave: FETCH_SESSION_ID_NOT_FOUND. Forgotten topics are ignored.
//   - A partition that is unknown or refused answers at once, with the others as they are.
//   - A wait ends early when the connection closes or the server stops. Of one connection one fetch is answered at a time, and the next is
//     started when it has left: who reads slowly holds at most one answer.
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
	fetchVersionFlexible = 12
	fetchVersionIDs      = 13
	fetchVersionLeaders  = 16
)

// fetched is the answer to a Fetch.
type fetched struct {
	server  *Server
	version int16
	code    int16
	topics  []fetchedTopic
	brokers []broker.Node
	result  *broker.ReadResult // what the batches are borrowed from; may be nil
	held    int64
}

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
	if q.SessionID != 0 {
		a.code = errFetchSessionIDNotFound
		return a
	}
	read := &broker.Read{
		Client:    r.client,
		MinBytes:  q.MinBytes,
		MaxBytes:  r.server.fetchRoom(q.MaxBytes),
		MaxWait:   min(max(time.Duration(q.MaxWaitMillis)*time.Millisecond, 0), fetchWaitMax),
		Committed: q.IsolationLevel == 1,
	}
	places := a.plan(r, q, read)
	if len(read.Partitions) < places.total {
		read.MaxWait, read.MinBytes = 0, 0 // a refusal is answered at once
	}
	read.MinBytes = min(read.MinBytes, read.MaxBytes)
	if len(read.Partitions) > 0 {
		a.fill(r, read, places)
	} else if places.total == 0 && read.MaxWait > 0 {
		idle(r, read.MaxWait) // nothing asked for: Kafka waits, too, so that such a client does not spin
	}
	a.findLeaders()
	return a
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

// places are where the partitions that are read have their answers.
type places struct {
	total int
	at    []*fetchedPartition
}

// plan finds topics and partitions and makes a place for each in the order asked.
func (a *fetched) plan(r *request, q *kmsg.FetchRequest, read *broker.Read) (p places) {
	a.topics = make([]fetchedTopic, len(q.Topics))
	for i := range q.Topics {
		from, to := &q.Topics[i], &a.topics[i]
		to.name, to.id = from.Topic, from.TopicID
		to.partitions = make([]fetchedPartition, len(from.Partitions))
		var t broker.TopicRef
		var err error
		switch {
		case q.Version < fetchVersionIDs:
			t, err = r.server.broker.FindTopic(r.ctx, from.Topic, broker.TopicID{})
		case broker.TopicID(from.TopicID).IsZero():
			err = broker.Refuse(broker.CodeUnknownTopicID, "read", "topic id zero")
		default:
			t, err = r.server.broker.FindTopic(r.ctx, "", from.TopicID)
		}
		for j := range from.Partitions {
			in, out := &from.Partitions[j], &to.partitions[j]
			out.index = in.Partition
			p.total++
			refusal := err
			if refusal == nil {
				refusal = hasPartition("read", t, in.Partition)
			}
			if refusal != nil {
				out.refuse(refusal)
				continue
			}
			rp := broker.ReadPartition{
				Partition: broker.Partition{Topic: t.ID, Index: in.Partition},
				Offset:    broker.Offset(in.FetchOffset),
				Epoch:     broker.LeaderEpoch(in.CurrentLeaderEpoch),
				LastEpoch: broker.LeaderEpoch(in.LastFetchedEpoch),
				MaxBytes:  max(in.PartitionMaxBytes, 0),
			}
			read.Partitions = append(read.Partitions, rp)
			p.at = append(p.at, out)
		}
	}
	return p
}

func (out *fetchedPartition) refuse(err error) {
	out.ReadPartitionResult = broker.ReadPartitionResult{Err: err, HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1}
}

func (a *fetched) fill(r *request, read *broker.Read, p places) {
	res, err := r.server.broker.Read(r.ctx, read)
	if err != nil {
		if r.ctx.Err() != nil && broker.CodeOf(err) == broker.CodeInternal {
			err = broker.Refuse(broker.CodeShuttingDown, "read", "")
		}
		for _, out := range p.at {
			out.refuse(err)
		}
		return
	}
	a.result = res
	for i, out := range p.at {
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
