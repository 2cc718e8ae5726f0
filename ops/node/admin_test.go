package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// administered is three nodes, a client of theirs and its administration.
type administered struct {
	*servers
	cl  *kgo.Client
	adm *kadm.Client
	ctx context.Context
}

func administer(t *testing.T) *administered {
	t.Helper()
	c := newServers(t, 3, nil)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.seeds()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	return &administered{servers: c, cl: cl, adm: kadm.NewClient(cl), ctx: ctx}
}

func (a *administered) create(name string, partitions int32) {
	a.t.Helper()
	if r, err := a.adm.CreateTopic(a.ctx, partitions, -1, nil, name); err != nil || r.Err != nil {
		a.t.Fatal(err, r.Err)
	}
}

func (a *administered) produce(name string, partition int32, records int) {
	a.t.Helper()
	for range records {
		if err := a.cl.ProduceSync(a.ctx, &kgo.Record{Topic: name, Partition: partition, Value: make([]byte, 100)}).FirstErr(); err != nil {
			a.t.Fatal(err)
		}
	}
}

// What an administrator asks of three nodes through Kafka's protocol, each with wrong questions beside the right ones.
func TestAdministration(t *testing.T) {
	t.Parallel()
	a := administer(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *administered)
	}{
		{"log dirs", testLogDirs},
		{"elections", testElections},
		{"quorum", testQuorum},
		{"reassignments", testReassignments},
		{"groups by state and type", testGroupFilters},
	} {
		t.Run(test.name, func(t *testing.T) {
			a.t = t
			test.run(t, a)
		})
	}
}

// Every node has every partition of a cluster of three, and what was produced in its folder.
func testLogDirs(t *testing.T, a *administered) {
	a.create("dirs", 3)
	a.produce("dirs", 1, 20)
	eventually(t, "followers have applied", func() error {
		all, err := a.adm.DescribeAllLogDirs(a.ctx, kadm.TopicsSet{"dirs": {0: {}, 1: {}, 2: {}}})
		if err != nil || len(all) != 3 {
			return fmt.Errorf("%d nodes: %w", len(all), err)
		}
		for id, dirs := range all {
			d, ok := dirs["/data"]
			if !ok || d.Err != nil || len(d.Topics) != 1 || len(d.Topics["dirs"]) != 3 {
				t.Fatalf("node %d: %+v", id, dirs)
			}
			empty, full := d.Topics["dirs"][0], d.Topics["dirs"][1]
			if empty.Size != 0 || full.Size < 20*61 {
				return fmt.Errorf("node %d: sizes %d and %d", id, empty.Size, full.Size)
			}
		}
		return nil
	})
	q := kmsg.NewPtrDescribeLogDirsRequest()
	for _, s := range a.cl.RequestSharded(a.ctx, q) {
		r, ok := s.Resp.(*kmsg.DescribeLogDirsResponse)
		if s.Err != nil || !ok || len(r.Dirs) != 1 || r.Dirs[0].TotalBytes < r.Dirs[0].UsableBytes || r.Dirs[0].UsableBytes <= 0 {
			t.Errorf("%+v %v", s.Resp, s.Err)
		}
	}
}

// leaders are those that each partition's metadata names, by any node.
func (a *administered) leaders(name string) (leader, preferred map[int32]int32) {
	a.t.Helper()
	ts, err := a.adm.ListTopics(a.ctx, name)
	if err != nil || ts[name].Err != nil {
		a.t.Fatal(err, ts[name].Err)
	}
	leader, preferred = map[int32]int32{}, map[int32]int32{}
	for i, p := range ts[name].Partitions {
		leader[i], preferred[i] = p.Leader, p.Replicas[0]
	}
	return leader, preferred
}

func testElections(t *testing.T, a *administered) {
	a.create("elected", 2) // one on each data shard
	_, preferred := a.leaders("elected")
	if preferred[0] == preferred[1] {
		t.Errorf("one node is preferred everywhere: %v", preferred)
	}
	shard, err := a.nodes[0].node().Engine.Topic(a.ctx, "elected")
	if err != nil {
		t.Fatal(err)
	}
	other := a.nodes[preferred[0]%3] // the node after the preferred one
	a.lead(uint64(shard.Partitions[0].Shard), other)
	all := kadm.TopicsSet{"elected": {0: {}, 1: {}, 7: {}}, "nowhere": {0: {}}}
	rs, err := a.adm.ElectLeaders(a.ctx, kadm.ElectPreferredReplica, all)
	if err != nil {
		t.Fatal(err)
	}
	if err := rs["elected"][0].Err; err != nil {
		t.Errorf("elect: %v %s", err, rs["elected"][0].ErrMessage)
	}
	if err := rs["elected"][7].Err; !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("no such partition: %v", err)
	}
	if err := rs["nowhere"][0].Err; !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("no such topic: %v", err)
	}
	eventually(t, "the preferred replica leads in all nodes' eyes", func() error {
		for _, s := range a.nodes {
			topic, err := s.node().Engine.Topic(a.ctx, "elected")
			if err != nil || int32(topic.Partitions[0].Leader) != preferred[0] {
				return fmt.Errorf("node %d: %+v %v", s.cfg.NodeID, topic, err)
			}
		}
		return nil
	})
	a.produce("elected", 0, 1)
	rs, err = a.adm.ElectLeaders(a.ctx, kadm.ElectPreferredReplica, kadm.TopicsSet{"elected": {0: {}}})
	if err != nil || !errors.Is(rs["elected"][0].Err, kerr.ElectionNotNeeded) {
		t.Errorf("again: %v %v", rs["elected"][0].Err, err)
	}
	rs, err = a.adm.ElectLeaders(a.ctx, kadm.ElectLiveReplica, kadm.TopicsSet{"elected": {0: {}}})
	if err != nil || !errors.Is(rs["elected"][0].Err, kerr.ElectionNotNeeded) {
		t.Errorf("uncleanly: %v %v", rs["elected"][0].Err, err)
	}
	q := kmsg.NewPtrElectLeadersRequest()
	q.ElectionType = 7
	if r, err := q.RequestWith(a.ctx, a.cl); err != nil || r.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("an election of an unknown type: %+v %v", r, err)
	}
}

func testQuorum(t *testing.T, a *administered) {
	q := kmsg.NewPtrDescribeQuorumRequest()
	for _, name := range []string{"__cluster_metadata", "nowhere"} {
		topic := kmsg.NewDescribeQuorumRequestTopic()
		topic.Topic, topic.Partitions = name, []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}
		q.Topics = append(q.Topics, topic)
	}
	eventually(t, "every node tells of all three", func() error {
		for _, s := range a.nodes {
			r, err := q.RequestWith(a.ctx, a.cl.Broker(int(s.cfg.NodeID)))
			if err != nil || r.ErrorCode != 0 || len(r.Nodes) != 3 {
				return fmt.Errorf("%+v %w", r, err)
			}
			p := r.Topics[0].Partitions[0]
			if p.ErrorCode != 0 || p.LeaderID <= 0 || p.LeaderEpoch <= 0 || p.HighWatermark <= 0 || len(p.CurrentVoters) != 3 || len(p.Observers) != 0 {
				return fmt.Errorf("%+v", p)
			}
			for _, v := range p.CurrentVoters {
				if v.LogEndOffset <= 0 {
					return fmt.Errorf("%+v", v)
				}
			}
			if e := r.Topics[1].Partitions[0].ErrorCode; e != kerr.UnknownTopicOrPartition.Code {
				t.Fatalf("a quorum of another topic: %d", e)
			}
		}
		return nil
	})
}

func testReassignments(t *testing.T, a *administered) {
	a.create("placed", 1)
	_, preferred := a.leaders("placed")
	today := []int32{preferred[0], preferred[0]%3 + 1, (preferred[0]+1)%3 + 1}
	ask := func(partition int32, replicas []int32) error {
		var q kadm.AlterPartitionAssignmentsReq
		if replicas == nil {
			q.CancelAssign("placed", partition)
		} else {
			q.Assign("placed", partition, replicas)
		}
		rs, err := a.adm.AlterPartitionAssignments(a.ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		return rs["placed"][partition].Err
	}
	if err := ask(0, today); err != nil {
		t.Errorf("where it is: %v", err)
	}
	if err := ask(0, today[:2]); !errors.Is(err, kerr.InvalidReplicaAssignment) {
		t.Errorf("fewer replicas: %v", err)
	}
	if err := ask(0, []int32{today[1], today[0], today[2]}); !errors.Is(err, kerr.InvalidReplicaAssignment) {
		t.Errorf("another preferred leader: %v", err)
	}
	if err := ask(0, nil); !errors.Is(err, kerr.NoReassignmentInProgress) {
		t.Errorf("cancel: %v", err)
	}
	if err := ask(5, today); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("no such partition: %v", err)
	}
	rs, err := a.adm.ListPartitionReassignments(a.ctx, kadm.TopicsSet{"placed": {0: {}}})
	if err != nil || len(rs) != 0 {
		t.Errorf("reassignments: %v %v", rs, err)
	}
}

// Filters of ListGroups are asked of every node, since each knows the groups that it coordinates.
func testGroupFilters(t *testing.T, a *administered) {
	a.create("read", 1)
	committed := kadm.Offsets{}
	committed.AddOffset("read", 0, 0, -1)
	if err := a.adm.CommitAllOffsets(a.ctx, "empty", committed); err != nil {
		t.Fatal(err)
	}
	member, err := kgo.NewClient(kgo.SeedBrokers(a.seeds()...), kgo.ConsumerGroup("stable"), kgo.ConsumeTopics("read"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(member.Close)
	list := func(states, types []string) (string, error) {
		q := kmsg.NewPtrListGroupsRequest()
		q.StatesFilter, q.TypesFilter = states, types
		var found []string
		for _, s := range a.cl.RequestSharded(a.ctx, q) {
			r, ok := s.Resp.(*kmsg.ListGroupsResponse)
			if s.Err != nil || !ok || r.ErrorCode != 0 {
				return "", fmt.Errorf("%+v %w", s.Resp, s.Err)
			}
			for _, g := range r.Groups {
				found = append(found, fmt.Sprintf("%s is %s %s", g.Group, g.GroupState, g.GroupType))
			}
		}
		slices.Sort(found)
		return strings.Join(found, ", "), nil
	}
	const empty, stable = "empty is Empty classic", "stable is Stable classic"
	for _, x := range []struct {
		states, types []string
		want          string
	}{
		{nil, nil, empty + ", " + stable},
		{[]string{"Stable"}, nil, stable},
		{[]string{"empty"}, []string{"Classic"}, empty},
		{[]string{"Empty", "Stable"}, []string{"consumer"}, ""},
		{[]string{"Dead"}, nil, ""},
		{[]string{"no such state"}, []string{"no such type"}, ""},
	} {
		eventually(t, fmt.Sprintf("groups in states %v of types %v", x.states, x.types), func() error {
			if got, err := list(x.states, x.types); err != nil || got != x.want {
				return fmt.Errorf("%q, want %q: %w", got, x.want, err)
			}
			return nil
		})
	}
}
