package broker

import (
	"context"
	"time"
)

// Groups is the classic consumer group protocol and committed offsets. Only the
// coordinator answers; others refuse with CodeNotCoordinator.
type Groups interface {
	// Coordinator finds the node that coordinates a group; CodeUnavailable when
	// its shard has no leader.
	Coordinator(ctx context.Context, group string) (Node, error)
	// JoinGroup waits until the rebalance that it joins completes.
	JoinGroup(ctx context.Context, r *JoinGroup) (*JoinedGroup, error)
	// SyncGroup waits until the leader brought the assignments and they are stored.
	SyncGroup(ctx context.Context, r *SyncGroup) (*SyncedGroup, error)
	Heartbeat(ctx context.Context, m GroupMember) error
	// LeaveGroup answers per member, in the order given.
	LeaveGroup(ctx context.Context, group string, c Client, ms []LeavingMember) ([]error, error)
	// CommitOffsets answers per offset, in the order given; the error is for all.
	CommitOffsets(ctx context.Context, r *CommitOffsets) ([]error, error)
	// FetchOffsets gives the committed offsets asked for (nil: all there are),
	// after a read index. An offset never committed is −1.
	FetchOffsets(ctx context.Context, q *FetchOffsets) ([]CommittedOffset, error)
	DescribeGroup(ctx context.Context, group string) (*GroupDescription, error)
	// ListGroups lists the groups that this node coordinates.
	ListGroups(ctx context.Context) ([]GroupListing, error)
	// DeleteOffsets forgets positions of a group, answering for each in the order given: CodeGroupNotEmpty for a topic
	// that a member consumes. The error is for all: CodeGroupNotEmpty when nobody can tell what the members consume.
	DeleteOffsets(ctx context.Context, c Client, group string, ps []TopicPartition) ([]error, error)
	// DeleteGroup deletes an empty group and its offsets.
	DeleteGroup(ctx context.Context, c Client, group string) error
}

// GroupMember is a member's claim: who it is and which generation it knows.
type GroupMember struct {
	Client     Client
	Group      string
	MemberID   string
	InstanceID string // group.instance.id (KIP-345); empty: dynamic
	Generation Generation
}

// JoinGroup asks to take part in the next generation.
type JoinGroup struct {
	GroupMember                      // Generation is ignored
	ProtocolType     string          // "consumer"
	Protocols        []GroupProtocol // by preference
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	// RequireKnownMember: a dynamic member without id is given one and told to come
	// again with it (KIP-394; CodeMemberIDRequired, Error.MemberID).
	RequireKnownMember bool
	// CanSkipAssignment: the client understands SkipAssignment (JoinGroup 9, KIP-814).
	CanSkipAssignment bool
	Reason            string
}

// GroupProtocol is an assignor's name and the member's metadata for it.
type GroupProtocol struct {
	Name     string
	Metadata []byte
}

// JoinedGroup is the generation that came of it.
type JoinedGroup struct {
	Generation     Generation
	ProtocolType   string
	Protocol       string
	LeaderID       string
	MemberID       string
	SkipAssignment bool
	Members        []JoinedMember // only for the leader
}

// JoinedMember is what the leader learns of a member.
type JoinedMember struct {
	MemberID   string
	InstanceID string
	Metadata   []byte
}

// SyncGroup asks for the member's assignment; the leader's brings all of them.
type SyncGroup struct {
	GroupMember
	ProtocolType string // empty: not checked
	Protocol     string // empty: not checked
	Assignments  []MemberAssignment
}

// MemberAssignment is one member's share, opaque bytes of the assignor.
type MemberAssignment struct {
	MemberID   string
	Assignment []byte
}

// SyncedGroup is the member's share.
type SyncedGroup struct {
	ProtocolType string
	Protocol     string
	Assignment   []byte
}

// LeavingMember names who leaves: by member id, or by instance id.
type LeavingMember struct {
	MemberID   string
	InstanceID string
	Reason     string
}

// CommitOffsets stores positions of a group. A member id with a generation is
// fenced by both; an empty member id with Generation −1 is a commit from outside
// the group protocol, allowed while the group is empty.
type CommitOffsets struct {
	GroupMember
	Offsets []CommitOffset
	// Retention keeps the offsets at least so long; negative: the configured time.
	Retention time.Duration
}

// CommitOffset is one position.
type CommitOffset struct {
	Topic     string
	TopicID   TopicID // zero: by name
	Partition int32
	Offset    Offset
	Epoch     LeaderEpoch // of the last record consumed, or NoEpoch
	Metadata  string
}

// FetchOffsets asks for positions.
type FetchOffsets struct {
	GroupMember                  // MemberID may be empty; given, it is checked (OffsetFetch 9)
	Partitions  []TopicPartition // nil: all
	Stable      bool             // wait for pending transactional offsets (KIP-447)
}

// TopicPartition is a partition by topic name.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// CommittedOffset is one stored position; Offset −1: none.
type CommittedOffset struct {
	TopicPartition
	Offset   Offset
	Epoch    LeaderEpoch
	Metadata string
	Err      error
}

// GroupState is a group's state by Kafka's names: "PreparingRebalance",
// "CompletingRebalance", "Stable", "Dead", "Empty".
type GroupState string

// The states.
const (
	GroupPreparing  GroupState = "PreparingRebalance"
	GroupCompleting GroupState = "CompletingRebalance"
	GroupStable     GroupState = "Stable"
	GroupDead       GroupState = "Dead"
	GroupEmpty      GroupState = "Empty"
)

// GroupDescription is a group as DescribeGroups shows it.
type GroupDescription struct {
	Group        string
	State        GroupState
	ProtocolType string
	Protocol     string
	Generation   Generation
	Members      []MemberDescription
}

// MemberDescription is one member of a described group.
type MemberDescription struct {
	MemberID   string
	InstanceID string
	ClientID   string
	ClientHost string
	Metadata   []byte
	Assignment []byte
}

// GroupListing is one row of ListGroups.
type GroupListing struct {
	Group        string
	ProtocolType string
	State        GroupState
}
