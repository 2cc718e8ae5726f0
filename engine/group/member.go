package group

import (
	"bytes"
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
)

// Member is one member of a stored group.
type Member struct {
	ID         string
	Instance   string // group.instance.id; empty: dynamic
	ClientID   string
	ClientHost string
	// Both in milliseconds.
	SessionTimeout   int64
	RebalanceTimeout int64
	// Protocols by the member's preference, with its metadata for each.
	Protocols []broker.GroupProtocol
	// Assignment is what the leader's SyncGroup gave it; nil before.
	Assignment []byte
}

// String prints one line: who, how, and what it holds.
func (m Member) String() string {
	s := m.ID
	if m.Instance != "" {
		s += " (static " + m.Instance + ")"
	}
	s += fmt.Sprintf(" session=%dms rebalance=%dms", m.SessionTimeout, m.RebalanceTimeout)
	for i, p := range m.Protocols {
		if i == 0 {
			s += " protocols="
		} else {
			s += ","
		}
		s += fmt.Sprintf("%s:%q", p.Name, p.Metadata)
	}
	if m.Assignment != nil {
		s += fmt.Sprintf(" assignment=%q", m.Assignment)
	}
	return s
}

// metadata gives the member's metadata for a protocol, nil if it does not offer it.
func (m Member) metadata(protocol string) []byte {
	for _, p := range m.Protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// offers says whether the member supports a protocol.
func (m Member) offers(protocol string) bool {
	for _, p := range m.Protocols {
		if p.Name == protocol {
			return true
		}
	}
	return false
}

// matches says whether the member offers exactly these protocols with the same metadata in the same order.
func (m Member) matches(ps []broker.GroupProtocol) bool {
	if len(ps) != len(m.Protocols) {
		return false
	}
	for i, p := range ps {
		if p.Name != m.Protocols[i].Name || !bytes.Equal(p.Metadata, m.Protocols[i].Metadata) {
			return false
		}
	}
	return true
}

// describe is the member as DescribeGroups shows it; Kafka hides metadata and assignment unless the group is stable.
func (m Member) describe(protocol string, stable bool) broker.MemberDescription {
	d := broker.MemberDescription{MemberID: m.ID, InstanceID: m.Instance, ClientID: m.ClientID, ClientHost: m.ClientHost}
	if stable {
		d.Metadata, d.Assignment = m.metadata(protocol), m.Assignment
	}
	return d
}

// bytes is how long the member is when encoded; see codec.go.
func (m Member) bytes() int {
	n := memberBytesMin + len(m.ID) + len(m.Instance) + len(m.ClientID) + len(m.ClientHost) + len(m.Assignment)
	for _, p := range m.Protocols {
		n += protocolBytesMin + len(p.Name) + len(p.Metadata)
	}
	return n
}
