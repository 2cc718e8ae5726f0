package narrow

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

const (
	team            = "posting"
	sessionTimeout  = 6 * time.Second // the least that is allowed
	assignorName    = "seat"
	membersOfTeam   = 3
	heartbeatsEvery = 100 * time.Millisecond
)

// member is a consumer of a group that speaks the protocol by itself: also with an
// older generation, and without waiting as long as clients do.
type member struct {
	x   *narrow
	cl  *kgo.Client
	rng *rand.Rand

	name       string
	id         string
	joins      int
	generation int32
	leads      bool
	members    []string // of the generation, when it leads
	mine       []int32
	older      int32 // a generation that it was in before
	next       map[int32]int64
}

func (m *member) run(stop <-chan struct{}) error {
	m.next = map[int32]int64{}
	for !stopped(stop, time.Duration(m.rng.Int64N(int64(50*time.Millisecond)))) {
		if !m.join() || !m.sync() || !m.position() {
			continue
		}
		for ok := true; ok && !stopped(stop, heartbeatsEvery); {
			ok = m.heartbeat()
			for _, p := range m.mine {
				m.next[p]++
				m.commit(m.generation, p, m.next[p])
			}
			switch m.rng.IntN(20) {
			case 0:
				m.leave()
				ok = false
			case 1:
				ok = false // joins again
			}
		}
		if m.older > 0 && m.rng.IntN(2) == 0 {
			m.zombie()
			m.lateSync()
		}
		m.older = m.generation
	}
	return nil
}

// request is one request of a member; it says whether there was an answer.
func request[R kmsg.Response](m *member, q kmsg.Request, most time.Duration) (r R, ok bool) {
	ctx, cancel := timeout(most)
	defer cancel()
	a, err := m.cl.Request(ctx, q)
	if err != nil {
		return r, false
	}
	r, ok = a.(R)
	return r, ok
}

// join joins, under an id of its own once it has one.
func (m *member) join() bool {
	m.joins++
	q := kmsg.NewPtrJoinGroupRequest()
	q.Group, q.MemberID, q.ProtocolType = team, m.id, "consumer"
	q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = int32(sessionTimeout.Milliseconds()), 3000
	p := kmsg.NewJoinGroupRequestProtocol()
	// Each join says something else, so a view of the members is of one rebalance.
	p.Name, p.Metadata = assignorName, fmt.Appendf(nil, "%s join %d", m.name, m.joins)
	q.Protocols = append(q.Protocols, p)
	span := check.Span{Call: m.x.w.Now()}
	r, ok := request[*kmsg.JoinGroupResponse](m, q, 8*time.Second)
	if !ok {
		return false
	}
	switch err := kerr.ErrorForCode(r.ErrorCode); err {
	case nil:
	case kerr.MemberIDRequired:
		m.id = r.MemberID
		return false
	case kerr.UnknownMemberID:
		m.id = ""
		return false
	default:
		return false
	}
	span.Return = m.x.w.Now()
	m.id, m.generation, m.leads, m.mine, m.members = r.MemberID, r.Generation, r.LeaderID == r.MemberID, nil, nil
	m.x.mu.Lock()
	defer m.x.mu.Unlock()
	m.x.h.Assignments = append(m.x.h.Assignments, check.Assignment{Group: team, Generation: int(m.generation), Member: m.id, Span: span})
	if m.leads {
		m.lead(r)
	}
	return true
}

// lead notes whom the leader is to assign to.
//
//   - shared-generation: two rebalances, of different members or of the same with
//     different words, were given one generation.
func (m *member) lead(r *kmsg.JoinGroupResponse) {
	var view []string
	for i := range r.Members {
		m.members = append(m.members, r.Members[i].MemberID)
		view = append(view, fmt.Sprintf("%s: %s", r.Members[i].MemberID, r.Members[i].ProtocolMetadata))
	}
	slices.Sort(m.members)
	slices.Sort(view)
	now := fmt.Sprint(view)
	if was, ok := m.x.views[m.generation]; ok && was != now {
		m.x.w.Anomaly("shared-generation", team, "generation %d is of %s and of %s", m.generation, was, now)
	}
	m.x.views[m.generation] = now
}

// sync gives out, if it leads, and takes the assignment.
func (m *member) sync() bool {
	q := kmsg.NewPtrSyncGroupRequest()
	q.Group, q.Generation, q.MemberID = team, m.generation, m.id
	q.ProtocolType, q.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr(assignorName)
	if m.leads {
		first := m.rng.IntN(len(m.members)) // another turn each time
		for i, id := range m.members {
			a := kmsg.NewSyncGroupRequestGroupAssignment()
			a.MemberID = id
			for p := range partitions {
				if (p+first)%len(m.members) == i {
					a.MemberAssignment = append(a.MemberAssignment, byte(p))
				}
			}
			q.GroupAssignment = append(q.GroupAssignment, a)
		}
	}
	time.Sleep(time.Duration(m.rng.Int64N(int64(100 * time.Millisecond))))
	span := check.Span{Call: m.x.w.Now()}
	r, ok := request[*kmsg.SyncGroupResponse](m, q, 8*time.Second)
	if !ok || r.ErrorCode != 0 {
		return false
	}
	span.Return = m.x.w.Now()
	m.mine = nil
	var places []string
	for _, p := range bytes.Clone(r.MemberAssignment) {
		m.mine = append(m.mine, int32(p))
		places = append(places, where(topic, int32(p)))
	}
	m.x.mu.Lock()
	defer m.x.mu.Unlock()
	m.x.h.Assignments = append(m.x.h.Assignments, check.Assignment{Group: team, Generation: int(m.generation), Member: m.id, Partitions: places, Span: span})
	return true
}

func (m *member) heartbeat() bool {
	q := kmsg.NewPtrHeartbeatRequest()
	q.Group, q.Generation, q.MemberID = team, m.generation, m.id
	r, ok := request[*kmsg.HeartbeatResponse](m, q, 3*time.Second)
	return !ok || r.ErrorCode == 0
}

func (m *member) leave() {
	q := kmsg.NewPtrLeaveGroupRequest()
	q.Group, q.MemberID = team, m.id
	g := kmsg.NewLeaveGroupRequestMember()
	g.MemberID = m.id
	q.Members = append(q.Members, g)
	request[*kmsg.LeaveGroupResponse](m, q, 3*time.Second)
	m.id, m.mine = "", nil
}

// zombie commits under the generation before, as a member that was held up does. What it
// commits is ahead of everybody, so nobody takes it for one of a later generation.
func (m *member) zombie() {
	for _, p := range m.mine {
		m.commit(m.older, p, m.next[p]+1)
		m.next[p]++
	}
}

// lateSync asks for the assignment of the generation before, as a request does that was
// held up. Whatever is answered is that generation's.
func (m *member) lateSync() {
	generation, leads, mine := m.generation, m.leads, m.mine
	m.generation, m.leads = m.older, false
	m.sync()
	m.generation, m.leads, m.mine = generation, leads, mine
}

// position asks where the member goes on in what it was given. One that does not know
// must not go on: it would commit from where it stood itself, long ago.
func (m *member) position() bool {
	if len(m.mine) == 0 {
		return true
	}
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Group = team
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic, t.Partitions = topic, m.mine
	q.Topics = append(q.Topics, t)
	g, gt := kmsg.NewOffsetFetchRequestGroup(), kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.TopicID, gt.Partitions = topic, m.x.id, m.mine
	g.Group, g.Topics = team, append(g.Topics, gt)
	q.Groups = append(q.Groups, g)
	span := check.Span{Call: m.x.w.Now()}
	r, ok := request[*kmsg.OffsetFetchResponse](m, q, 5*time.Second)
	if !ok || len(r.Groups) != 1 || r.Groups[0].ErrorCode != 0 {
		return false
	}
	span.Return = m.x.w.Now()
	m.x.mu.Lock()
	defer m.x.mu.Unlock()
	known := 0
	for _, t := range r.Groups[0].Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 {
				m.x.h.Fetches = append(m.x.h.Fetches, check.Fetch{Span: span, Group: team, Partition: where(topic, p.Partition), Offset: p.Offset})
				m.next[p.Partition] = max(m.next[p.Partition], p.Offset)
				known++
			}
		}
	}
	return known == len(m.mine)
}

// commit commits one offset under a generation.
func (m *member) commit(generation, part int32, offset int64) {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Group, q.Generation, q.MemberID = team, generation, m.id
	t, p := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = part, offset
	t.Topic, t.TopicID, t.Partitions = topic, m.x.id, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	c := check.Commit{Group: team, Partition: where(topic, part), Member: m.id, Generation: int(generation), Offset: offset, Outcome: check.Unknown,
		Span: check.Span{Call: m.x.w.Now(), Return: 1 << 62}}
	r, ok := request[*kmsg.OffsetCommitResponse](m, q, 5*time.Second)
	if ok && len(r.Topics) == 1 && len(r.Topics[0].Partitions) == 1 {
		switch err := kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode); err {
		case nil:
			c.Outcome, c.Return = check.OK, m.x.w.Now()
		case kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress:
			c.Outcome, c.Return = check.Failed, m.x.w.Now()
		}
	}
	m.x.mu.Lock()
	defer m.x.mu.Unlock()
	m.x.h.Commits = append(m.x.h.Commits, c)
}

// TestAGroupOverManyCoordinators: generations are given once, partitions to one member
// of each, and nobody who was rebalanced away moves the group's offsets, however often
// the coordinator dies in the middle of a rebalance.
func TestAGroupOverManyCoordinators(t *testing.T) {
	world(t, small, func(x *narrow) {
		stop := make(chan struct{})
		x.id = x.topicID()
		var running []<-chan error
		for range membersOfTeam {
			_, done := x.begin("member", func(p *simtest.Process, cl *kgo.Client) error {
				m := &member{x: x, cl: cl, rng: x.w.Rand(p.Name()), name: p.Name()}
				return m.run(stop)
			}, kgo.RequestRetries(3))
			running = append(running, done)
		}
		x.faults(25*time.Second, func(f *faults) {
			f.wait(100*time.Millisecond, 2*time.Second)
			verb := []simtest.Verb{simtest.Kill, simtest.Power, simtest.Pause, simtest.Isolate}[f.rng.IntN(4)]
			f.at += f.hit(verb, f.node(), 20*time.Millisecond, 1500*time.Millisecond)
		})
		time.Sleep(3 * time.Second)
		close(stop)
		x.settled(running...)
		x.replicas()
	})
}
