package group

import (
	"fmt"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
)

// Phase is what of a group's state is stored. Preparing is not: a group that prepares a rebalance still has, for
// commits and for a new leader, the generation stored before.
type Phase uint8

// The phases.
const (
	PhaseEmpty      Phase = iota // no members
	PhaseCompleting              // a generation is agreed, its assignment is not here yet
	PhaseStable                  // every member's assignment is stored
	phaseCount
)

// String gives Kafka's name of the state.
func (p Phase) String() string { return string(p.state()) }

func (p Phase) state() broker.GroupState {
	switch p {
	case PhaseEmpty:
		return broker.GroupEmpty
	case PhaseCompleting:
		return broker.GroupCompleting
	case PhaseStable:
		return broker.GroupStable
	}
	return broker.GroupState(fmt.Sprintf("phase-%d", uint8(p)))
}

// State is a group as it is stored: what every replica knows, what a commit is fenced by, and what a new coordinator
// starts from. A State that was handed out is never changed.
type State struct {
	Group string
	// Version of the last GroupStore; 0 for a group that only committed offsets made. It comes from a counter of the
	// shard, so a group that was deleted and made again never has an old version.
	Version      uint64
	Phase        Phase
	Generation   broker.Generation
	ProtocolType string
	Protocol     string
	Leader       string
	// Since is the replicated time (ms) at which the phase was entered.
	Since   uint64
	Members []Member // by the order in which they joined
}

// String prints one line.
func (s *State) String() string {
	return fmt.Sprintf("group %s version=%d %v generation=%d type=%q protocol=%q leader=%q members=%d since=%d",
		s.Group, s.Version, s.Phase, s.Generation, s.ProtocolType, s.Protocol, s.Leader, len(s.Members), s.Since)
}

// Describe prints the group and its members.
func (s *State) Describe() string {
	var b strings.Builder
	fmt.Fprintln(&b, s)
	for _, m := range s.Members {
		fmt.Fprintf(&b, "  member %v\n", m)
	}
	return b.String()
}

// Member finds a member by id.
func (s *State) Member(id string) (Member, bool) {
	for _, m := range s.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// instance finds a static member by its instance id.
func (s *State) instance(instance string) (Member, bool) {
	for _, m := range s.Members {
		if m.Instance == instance {
			return m, true
		}
	}
	return Member{}, false
}

// Description is the stored group as DescribeGroups shows it.
func (s *State) Description() *broker.GroupDescription {
	d := &broker.GroupDescription{Group: s.Group, State: s.Phase.state(), ProtocolType: s.ProtocolType, Generation: s.Generation}
	stable := s.Phase == PhaseStable
	if stable {
		d.Protocol = s.Protocol
	}
	for _, m := range s.Members {
		d.Members = append(d.Members, m.describe(s.Protocol, stable))
	}
	return d
}
