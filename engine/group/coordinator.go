package group

import "github.com/tallymq/tallymq/engine/broker"

// Config is how a coordinator behaves; the zero value is not valid, see DefaultConfig.
type Config struct {
	InitialRebalanceDelay int64 // ms; how long the first rebalance of an empty group waits for more members
	SessionTimeoutMin     int64 // ms
	SessionTimeoutMax     int64 // ms
	NewMemberJoinTimeout  int64 // ms
	MembersMax            int
}

// DefaultConfig has Kafka's values.
func DefaultConfig() Config {
	return Config{InitialRebalanceDelay: InitialRebalanceDelayDefault, SessionTimeoutMin: SessionTimeoutMin,
		SessionTimeoutMax: SessionTimeoutMax, NewMemberJoinTimeout: NewMemberJoinTimeout, MembersMax: MembersMax}
}

// Coordinator is the volatile half of the groups of one shard's leader. Not safe for concurrent use.
type Coordinator struct{ config Config }

// NewCoordinator makes the coordinator of a new leadership; Load every group of the applied state into it.
func NewCoordinator(c Config) *Coordinator { return &Coordinator{config: c} }

// Step handles one event at time now (ms, monotonic, any origin) and says what to do.
func (c *Coordinator) Step(now int64, ev Event) []Effect { return nil }

// NextDeadline is when the next Tick is due.
func (c *Coordinator) NextDeadline() (ms int64, ok bool) { return 0, false }

// Describe is a live group as DescribeGroups shows it.
func (c *Coordinator) Describe(group string) (*broker.GroupDescription, bool) { return nil, false }

// List lists the live groups by name.
func (c *Coordinator) List() []broker.GroupListing { return nil }
