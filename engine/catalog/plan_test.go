package catalog

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// cluster is a dumb model of what the placement driver acts on: Raft's memberships, nodes that die and come back, and
// replicas that are damaged.
type cluster struct {
	t      *rapid.T
	w      *world
	alive  map[broker.NodeID]bool
	raft   map[broker.ShardID]map[uint64]Membership
	sick   map[string]bool // "shard/replica" is damaged
	fresh  map[string]bool // is not whole yet
	leader map[broker.ShardID]uint64
}

// rack deals nodes out to racks; 0: there are none.
func rack(node, racks int) string {
	if racks == 0 {
		return ""
	}
	return fmt.Sprintf("r%d", node%racks)
}

func key(s broker.ShardID, r uint64) string { return fmt.Sprintf("%d/%d", s, r) }

func newCluster(t *rapid.T, nodes, racks int) *cluster {
	k := &cluster{t: t, w: newWorld(t), alive: make(map[broker.NodeID]bool), raft: make(map[broker.ShardID]map[uint64]Membership),
		sick: make(map[string]bool), fresh: make(map[string]bool), leader: make(map[broker.ShardID]uint64)}
	var ns []*Node
	for i := range nodes {
		ns = append(ns, testNode(i+1, rack(i+1, racks)))
		k.alive[ns[i].ID] = true
	}
	c, err := PlanBootstrap("c", ns, 2)
	if err != nil {
		t.Fatal(err)
	}
	k.w.apply(c)
	for _, s := range k.view().Shards() {
		k.raft[s.ID] = make(map[uint64]Membership)
		for _, r := range s.Replicas {
			k.raft[s.ID][r.ID] = Voter
		}
	}
	return k
}

func (k *cluster) view() *View { return k.w.m.Snapshot() }

func (k *cluster) facts() Facts {
	f := Facts{Alive: k.alive, Shards: make(map[broker.ShardID]ShardFacts)}
	for _, s := range k.view().Shards() {
		sf := ShardFacts{Known: true, Replicas: make(map[uint64]Health)}
		for id, m := range k.raft[s.ID] {
			sf.Replicas[id] = Health{Raft: m, CaughtUp: !k.fresh[key(s.ID, id)], Whole: !k.fresh[key(s.ID, id)], Damaged: k.sick[key(s.ID, id)]}
		}
		if k.raft[s.ID][k.leader[s.ID]] != Voter {
			k.leader[s.ID] = 0
			for _, r := range s.Replicas {
				if k.raft[s.ID][r.ID] == Voter && k.leader[s.ID] == 0 {
					k.leader[s.ID] = r.ID
				}
			}
		}
		sf.Leader = k.leader[s.ID]
		f.Shards[s.ID] = sf
	}
	return f
}

// good counts the voters that hold everything and can be reached, and all voters, as Raft sees them.
func (k *cluster) good(s *Shard) (good, voters int) {
	for _, r := range s.Replicas {
		if k.raft[s.ID][r.ID] != Voter {
			continue
		}
		voters++
		if k.alive[r.Node] && !k.sick[key(s.ID, r.ID)] && !k.fresh[key(s.ID, r.ID)] {
			good++
		}
	}
	return good, voters
}

// do carries a step out, as far as luck goes: 0 nothing, 1 Raft only, 2 all.
func (k *cluster) do(st Step, luck int) {
	s, _ := k.view().Shard(st.Shard)
	good, voters := k.good(s)
	quorum := good >= voters/2+1
	if luck == 0 || !quorum && st.Kind != StepAdd {
		return
	}
	raft := k.raft[st.Shard]
	switch st.Kind {
	case StepAdd:
		k.must(k.w.apply(&command.ReplicaAdd{Shard: st.Shard, Replica: st.Replica, Node: st.Node, NonVoting: true}), st)
		k.fresh[key(st.Shard, st.Replica)] = true
	case StepJoin:
		if raft[st.Replica] == Expelled {
			k.t.Fatalf("%v: Raft never takes it again", st)
		}
		raft[st.Replica] = NonVoter
	case StepPromote:
		if k.fresh[key(st.Shard, st.Replica)] {
			k.t.Fatalf("%v: it is not whole", st)
		}
		raft[st.Replica] = Voter
		if luck == 2 {
			k.must(k.w.apply(&command.ReplicaPromote{Shard: st.Shard, Replica: st.Replica}), st)
		}
	case StepRemove:
		if raft[st.Replica] == Voter {
			raft[st.Replica] = Expelled
			if good, voters := k.good(s); voters == 0 || good < voters/2+1 {
				k.t.Fatalf("%v: leaves %d good of %d voters\n%v", st, good, voters, k.view().Describe())
			}
		}
		raft[st.Replica] = Expelled
		if luck == 2 {
			k.must(k.w.apply(&command.ReplicaRemove{Shard: st.Shard, Replica: st.Replica}), st)
		}
	case StepLead:
		k.leader[st.Shard] = st.Replica
	}
	joining := 0
	for _, m := range raft {
		if m == NonVoter {
			joining++
		}
	}
	if joining > 1 {
		k.t.Fatalf("%v: %d replicas are joining shard %d", st, joining, st.Shard)
	}
}

func (k *cluster) must(m command.Message, st Step) {
	if r := m.(*command.CatalogResult); r.Code != broker.CodeNone {
		k.t.Fatalf("%v: refused: %v\n%s", st, r.Code, k.view().Describe())
	}
}

// plan checks what a plan promises by itself.
func (k *cluster) plan() []Step {
	steps := Plan(k.view(), k.facts())
	seen := make(map[broker.ShardID]bool)
	for _, st := range steps {
		if seen[st.Shard] {
			k.t.Fatalf("two steps for shard %d: %v", st.Shard, steps)
		}
		seen[st.Shard] = true
	}
	return steps
}

// settle lets everything be well and follows the plan to its end.
func (k *cluster) settle() {
	for n := range k.alive {
		k.alive[n] = true
	}
	for range 400 {
		for f := range k.fresh {
			delete(k.fresh, f)
		}
		steps := k.plan()
		if len(steps) == 0 {
			return
		}
		for _, st := range steps {
			k.do(st, 2)
		}
	}
	k.t.Fatalf("no end:\n%s%v", k.view().Describe(), k.plan())
}

func TestPlanConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		racks := rapid.IntRange(0, 3).Draw(t, "racks")
		k := newCluster(t, rapid.IntRange(1, 5).Draw(t, "nodes"), racks)
		next := len(k.alive) + 1
		pick := func(label string, n int) int { return rapid.IntRange(0, n-1).Draw(t, label) }
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			nodes := k.view().Nodes()
			s := k.view().Shards()[pick("shard", len(k.view().Shards()))]
			r := s.Replicas[pick("replica", len(s.Replicas))]
			switch rapid.IntRange(0, 9).Draw(t, "event") {
			case 0: // damage, but never a majority: nothing could be done about that
				k.sick[key(s.ID, r.ID)] = true
				if good, voters := k.good(s); good < voters/2+1 {
					delete(k.sick, key(s.ID, r.ID))
				}
			case 1:
				n := nodes[pick("node", len(nodes))].ID
				k.alive[n] = !k.alive[n]
			case 2:
				if next <= 7 {
					k.w.apply(&command.NodeRegister{Spec: testNode(next, rack(next, racks)).Spec()})
					k.alive[broker.NodeID(next)] = true
					next++
				}
			case 3:
				k.w.apply(&command.NodeRemove{Node: nodes[pick("node", len(nodes))].ID})
			case 4:
				delete(k.fresh, key(s.ID, r.ID))
			default:
				for _, st := range k.plan() {
					k.do(st, pick("luck", 3))
				}
			}
		}
		k.settle()
		v := k.view()
		want := Replicas(len(v.Nodes()))
		least, most := 1<<30, 0
		load := make(map[broker.NodeID]int)
		for _, s := range v.Shards() {
			if s.changing() || len(s.Replicas) < want || len(s.Replicas) > ReplicasWanted {
				t.Fatalf("%v: want %d replicas, all voting", s, want)
			}
			for _, r := range s.Replicas {
				load[r.Node]++
				if _, ok := v.Node(r.Node); !ok || k.sick[key(s.ID, r.ID)] || k.raft[s.ID][r.ID] != Voter {
					t.Fatalf("%v: replica %d should have been replaced", s, r.ID)
				}
			}
		}
		for _, n := range v.Nodes() {
			least, most = min(least, load[n.ID]), max(most, load[n.ID])
		}
		if racks == 0 && want == ReplicasWanted && most > least+1 {
			t.Fatalf("replicas are not even:\n%s", v.Describe())
		}
	})
}
