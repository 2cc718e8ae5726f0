package group

import (
	"fmt"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Apply applies one encoded command, writes the rows that changed and appends the encoded result (GroupResult,
// OffsetResult or TxnOfferResult) to dst. Dropped names groups that are gone now: tell the coordinator (Deleted). A refusal is a result;
// an error means that the bytes cannot be decoded, and the replica must stop.
func (m *Machine) Apply(dst []byte, ctx Context, body []byte, w keyspace.Writer) (result []byte, dropped []string, err error) {
	msg, err := command.Decode(body)
	if err != nil {
		return dst, nil, fmt.Errorf("apply to groups: %w", err)
	}
	var r command.Message
	switch c := msg.(type) {
	case *command.GroupStore:
		r = m.store(ctx, c, w)
	case *command.GroupDelete:
		r, dropped = m.delete(c, w)
	case *command.OffsetCommit:
		r = m.commit(ctx, c, w)
	case *command.OffsetDelete:
		r = m.deleteOffsets(c, w)
	case *command.TxnOffer:
		r = m.offer(ctx, c, w)
	case *command.GroupSweep:
		r, dropped = m.sweep(ctx, c, w)
	default:
		return dst, nil, fmt.Errorf("apply to groups: %v is not a group command", msg.Kind())
	}
	at := len(dst)
	dst = r.AppendTo(dst)
	m.digest = fold(fold(m.digest, body), dst[at:])
	w.Set(keyspace.MachineKey(keyspace.MachineGroup), m.appendOwn(nil))
	return dst, dropped, nil
}

// fold is FNV-1a over a length and the bytes, begun with the digest so far.
func fold(h uint64, b []byte) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h = (h ^ offset ^ uint64(len(b))) * prime
	for _, x := range b {
		h = (h ^ uint64(x)) * prime
	}
	return h
}

func (m *Machine) store(ctx Context, c *command.GroupStore, w keyspace.Writer) *command.GroupResult {
	var version uint64
	var old *State
	if g, ok := m.groups[c.Group]; ok {
		old, version = g.state, g.state.Version
	}
	refuse := func(code broker.Code) *command.GroupResult { return &command.GroupResult{Code: code, Version: version} }
	if code := checkName(c.Group); code != broker.CodeNone {
		return refuse(code)
	}
	if c.ExpectedVersion != version {
		return refuse(broker.CodeNotCoordinator) // another coordinator stored since
	}
	name := strings.Clone(c.Group)
	s, err := DecodeState(name, c.State)
	if err != nil || len(c.State) > StateBytesMax || s.Generation != c.Generation || s.Generation < 0 {
		return refuse(broker.CodeInvalidRequest)
	}
	if old != nil && s.Generation < old.Generation {
		return refuse(broker.CodeIllegalGeneration) // a generation never comes back
	}
	m.versions++
	s.Version, s.Since = m.versions, ctx.Clock
	if old != nil && old.Phase == s.Phase && old.Generation == s.Generation {
		s.Since = old.Since
	}
	m.put(s)
	w.Set(keyspace.AppendGroupKey(nil, name), s.AppendTo(nil))
	return &command.GroupResult{Version: s.Version}
}

func (m *Machine) delete(c *command.GroupDelete, w keyspace.Writer) (*command.GroupResult, []string) {
	g, ok := m.groups[c.Group]
	switch {
	case !ok:
		return &command.GroupResult{Code: broker.CodeGroupNotFound}, nil
	case g.state.Phase != PhaseEmpty, len(g.txns.Holds()) > 0: // an open transaction may be about to move its positions
		return &command.GroupResult{Code: broker.CodeGroupNotEmpty, Version: g.state.Version}, nil
	case c.ExpectedVersion != 0 && c.ExpectedVersion != g.state.Version:
		return &command.GroupResult{Code: broker.CodeNotCoordinator, Version: g.state.Version}, nil
	}
	m.forget(g.state.Group, w)
	return &command.GroupResult{}, []string{g.state.Group}
}

func (m *Machine) commit(ctx Context, c *command.OffsetCommit, w keyspace.Writer) *command.OffsetResult {
	if code := checkName(c.Group); code != broker.CodeNone {
		return &command.OffsetResult{Code: code}
	}
	g := m.groups[c.Group]
	var s *State
	if g != nil {
		s = g.state
	}
	if code := mayCommit(s, c.Generation, c.Member, c.Instance); code != broker.CodeNone {
		return &command.OffsetResult{Code: code}
	}
	r := &command.OffsetResult{Codes: make([]broker.Code, len(c.Offsets))}
	written := uint64(0)
	if g != nil && g.txns.Len() > 0 { // else no pending offset is there to be earlier or later than this one
		m.versions++
		written = m.versions
	}
	for i := range c.Offsets {
		it := &c.Offsets[i]
		if r.Codes[i] = checkItem(it); r.Codes[i] != broker.CodeNone {
			continue
		}
		if g == nil {
			// Offsets alone make a group that nobody is a member of.
			g = m.putEmpty(ctx, c.Group, w)
		}
		p := position{it.TopicID, strings.Clone(it.Topic), it.Partition}
		o := Offset{Offset: it.Offset, Epoch: it.LeaderEpoch, Metadata: strings.Clone(it.Metadata), CommittedAt: ctx.Clock,
			RetentionMs: max(c.RetentionMs, -1), Written: written}
		m.setOffset(g, p, o)
		w.Set(p.key(c.Group), o.appendTo(nil))
	}
	return r
}

// putEmpty makes a group that nobody is a member of, as offsets and transactions do.
func (m *Machine) putEmpty(ctx Context, name string, w keyspace.Writer) *stored {
	g := m.put(&State{Group: strings.Clone(name), Phase: PhaseEmpty, Since: ctx.Clock})
	w.Set(keyspace.AppendGroupKey(nil, name), g.state.AppendTo(nil))
	return g
}

// checkItem refuses an offset that could never be read back as what it was.
func checkItem(it *command.OffsetCommitItem) broker.Code {
	switch {
	case len(it.Metadata) > MetadataBytesMax:
		return broker.CodeOffsetMetadataTooLarge
	case it.TopicID.IsZero() || it.Topic == "" || len(it.Topic) > NameBytesMax || it.Partition < 0:
		return broker.CodeUnknownTopic
	case it.Offset < 0:
		return broker.CodeInvalidRequest // −1 means that there is none
	}
	return broker.CodeNone
}

func (m *Machine) deleteOffsets(c *command.OffsetDelete, w keyspace.Writer) *command.OffsetResult {
	g, ok := m.groups[c.Group]
	switch {
	case !ok:
		return &command.OffsetResult{Code: broker.CodeGroupNotFound}
	case g.state.Phase != PhaseEmpty && g.subscribed == nil:
		return &command.OffsetResult{Code: broker.CodeGroupNotEmpty} // nobody can tell what its members consume
	}
	r := &command.OffsetResult{Codes: make([]broker.Code, len(c.Offsets))}
	for i := range c.Offsets {
		it := &c.Offsets[i]
		if g.state.Phase != PhaseEmpty && g.subscribed[it.Topic] {
			r.Codes[i] = broker.CodeGroupNotEmpty
			continue
		}
		m.dropOffset(g.state.Group, g, position{it.TopicID, it.Topic, it.Partition}, w)
	}
	return r
}
