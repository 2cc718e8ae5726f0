package kafka

import (
	"math"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// What a client knows from the answers of its session is what is, whatever it asks for, forgets and takes up again, and
// whenever it loses an answer.
func TestFetchSessionTellsAllNews(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 6
		s := newFetchSessions(Limits{FetchSessionsMax: 3, FetchSessionPartitionsMax: 1000}.withDefaults())
		var truth [n]fetchedPartition
		known, wanted := map[int32]fetchedPartition{}, map[int32]bool{}
		var id, epoch int32
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				p := &truth[rapid.IntRange(0, n-1).Draw(t, "changed")]
				switch rapid.IntRange(0, 3).Draw(t, "change") {
				case 0:
					p.HighWatermark++
				case 1:
					p.LogStartOffset++
				case 2:
					p.LastStableOffset++
				case 3:
					p.Err = nil
					if rapid.Bool().Draw(t, "fails") {
						p.Err = broker.Refuse(broker.CodeUnavailable, "read", "")
					}
				}
			}
			q := kmsg.NewPtrFetchRequest()
			q.Version, q.SessionID, q.SessionEpoch = 11, id, epoch
			var topic kmsg.FetchRequestTopic
			var forgotten kmsg.FetchRequestForgottenTopic
			for i := range int32(n) {
				want := rapid.Bool().Draw(t, "want")
				switch {
				case epoch == 0:
					wanted[i] = want
				case want == wanted[i]:
					continue
				case wanted[i]:
					forgotten.Partitions = append(forgotten.Partitions, i)
					wanted[i] = false
					continue
				}
				if want {
					p := kmsg.NewFetchRequestTopicPartition()
					p.Partition = i
					topic.Partitions = append(topic.Partitions, p)
					wanted[i] = true
				}
			}
			q.Topics, q.ForgottenTopics = append(q.Topics, topic), append(q.ForgottenTopics, forgotten)
			if epoch == 0 {
				clear(known)
			}
			for _, i := range forgotten.Partitions {
				delete(known, i)
			}
			session, asked, code := s.open(q)
			if code != errNone {
				t.Fatalf("session %d epoch %d: code %d", id, epoch, code)
			}
			told := make([]fetchedPartition, len(asked))
			for i, p := range asked {
				told[i] = truth[p.index]
				told[i].index = p.index
			}
			a := &fetched{}
			if session != nil {
				news := s.done(session, told)
				a.gather(asked, told, func(i int) bool { return news[i] })
				epoch++
			} else {
				id, epoch = s.admit(q, asked, told), 1
				a.gather(asked, told, func(int) bool { return true })
				if id == 0 {
					epoch = 0
				}
			}
			for _, topic := range a.topics {
				for _, p := range topic.partitions {
					known[p.index] = p
				}
			}
			for i := range int32(n) {
				k, ok := known[i]
				if want := truth[i]; ok != wanted[i] || ok && (k.HighWatermark != want.HighWatermark || k.LogStartOffset != want.LogStartOffset ||
					k.LastStableOffset != want.LastStableOffset || (k.Err == nil) != (want.Err == nil)) {
					t.Fatalf("partition %d: the client knows %+v (%v), it is %+v (wanted %v)", i, k, ok, want, wanted[i])
				}
			}
			if rapid.IntRange(0, 9).Draw(t, "lost") == 0 {
				epoch = 0 // a client that missed an answer begins again, naming the session that it had
			}
			if sessions, partitions := s.counts(); sessions > 1 || partitions > n {
				t.Fatalf("%v", s)
			}
		}
	})
}

func TestFetchEpochsWrap(t *testing.T) {
	if nextFetchEpoch(1) != 2 || nextFetchEpoch(math.MaxInt32) != 1 {
		t.Error("the epoch after the largest is 1: 0 begins a session")
	}
}
