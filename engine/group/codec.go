package group

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
)

// ErrMalformed is wrapped when a stored group or offset cannot be read: damage, or a newer version of the format.
var ErrMalformed = errors.New("group: malformed")

// formatVersion opens every encoded State and every row.
const formatVersion = 1

const (
	memberBytesMin   = 4*4 + 8 + 8 + 4 + 4 // strings, time-outs, protocols, assignment
	protocolBytesMin = 2 * 4
	stateBytesMin    = 1 + 8 + 1 + 4 + 3*4 + 8 + 4
	noBytes          = ^uint32(0) // length of a nil assignment, which is another thing than an empty one
)

func appendU32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }
func appendU64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }
func appendText[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(appendU32(b, uint32(len(s))), s...)
}

// cursor reads what the append functions wrote; after the first failure it yields zeroes. What it yields is copied.
type cursor struct {
	b      []byte
	failed bool
}

func (c *cursor) take(n uint32) []byte {
	if c.failed || uint64(n) > uint64(len(c.b)) {
		c.failed = true
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) text() string  { return string(c.take(c.u32())) }
func (c *cursor) bytes() []byte { return append([]byte{}, c.take(c.u32())...) }

func (c *cursor) count(elementBytes int) int {
	n := c.u32()
	if c.failed || uint64(n)*uint64(elementBytes) > uint64(len(c.b)) {
		c.failed = true
		return 0
	}
	return int(n)
}

func (c *cursor) end(what string) error {
	if c.failed || len(c.b) != 0 {
		return fmt.Errorf("%w: %s (%d bytes left)", ErrMalformed, what, len(c.b))
	}
	return nil
}

// Bytes is how long the state is when encoded, without its name, which is the key of its row.
func (s *State) Bytes() int {
	n := stateBytesMin + len(s.ProtocolType) + len(s.Protocol) + len(s.Leader)
	for _, m := range s.Members {
		n += m.bytes()
	}
	return n
}

// AppendTo appends the state: what GroupStore carries (where Version and Since are not looked at) and the row holds.
//
//	format | version | phase | generation | protocol type | protocol | leader | since | members
func (s *State) AppendTo(b []byte) []byte {
	b = appendU32(append(appendU64(append(b, formatVersion), s.Version), byte(s.Phase)), uint32(s.Generation))
	b = appendText(appendText(appendText(b, s.ProtocolType), s.Protocol), s.Leader)
	b = appendU32(appendU64(b, s.Since), uint32(len(s.Members)))
	for _, m := range s.Members {
		b = appendMember(b, m)
	}
	return b
}

func appendMember(b []byte, m Member) []byte {
	b = appendText(appendText(appendText(appendText(b, m.ID), m.Instance), m.ClientID), m.ClientHost)
	b = appendU64(appendU64(b, uint64(m.SessionTimeout)), uint64(m.RebalanceTimeout))
	b = appendU32(b, uint32(len(m.Protocols)))
	for _, p := range m.Protocols {
		b = appendText(appendText(b, p.Name), p.Metadata)
	}
	if m.Assignment == nil {
		return appendU32(b, noBytes)
	}
	return appendText(b, m.Assignment)
}

// DecodeState reads what AppendTo wrote; the name is the caller's.
func DecodeState(name string, b []byte) (*State, error) {
	c := &cursor{b: b}
	s := &State{Group: name}
	if c.u8() != formatVersion {
		c.failed = true
	}
	s.Version, s.Phase, s.Generation = c.u64(), Phase(c.u8()), broker.Generation(c.u32())
	s.ProtocolType, s.Protocol, s.Leader, s.Since = c.text(), c.text(), c.text(), c.u64()
	c.failed = c.failed || s.Phase >= phaseCount
	for range c.count(memberBytesMin) {
		s.Members = append(s.Members, c.member())
	}
	if err := c.end(fmt.Sprintf("stored group %q", name)); err != nil {
		return nil, err
	}
	return s, s.check()
}

func (c *cursor) member() Member {
	m := Member{ID: c.text(), Instance: c.text(), ClientID: c.text(), ClientHost: c.text(),
		SessionTimeout: int64(c.u64()), RebalanceTimeout: int64(c.u64())}
	for range c.count(protocolBytesMin) {
		m.Protocols = append(m.Protocols, broker.GroupProtocol{Name: c.text(), Metadata: c.bytes()})
	}
	if n := c.u32(); n != noBytes {
		m.Assignment = append([]byte{}, c.take(n)...)
	}
	return m
}

// check refuses states that no coordinator stores: members without a leader among them, ids twice.
func (s *State) check() error {
	ids, instances := make(map[string]bool, len(s.Members)), make(map[string]bool)
	for _, m := range s.Members {
		if m.ID == "" || ids[m.ID] || m.Instance != "" && instances[m.Instance] {
			return fmt.Errorf("%w: stored group %q: member %q or its instance is there twice", ErrMalformed, s.Group, m.ID)
		}
		ids[m.ID], instances[m.Instance] = true, true
	}
	if (s.Phase == PhaseEmpty) != (len(s.Members) == 0) || len(s.Members) > 0 && !ids[s.Leader] {
		return fmt.Errorf("%w: stored group %q: %v with %d members, leader %q", ErrMalformed, s.Group, s.Phase, len(s.Members), s.Leader)
	}
	return nil
}
