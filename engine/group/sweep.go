package group

import (
	"fmt"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// cursorPosition is where the next sweep goes on: at this group, after this offset of it. The zero value is the start.
type cursorPosition struct {
	group string
	after position
	begun bool // some offsets of the group were looked at
}

// String prints the place.
func (c cursorPosition) String() string {
	if !c.begun {
		return fmt.Sprintf("%q", c.group)
	}
	return fmt.Sprintf("%q after %v", c.group, c.after)
}

// sweep looks at one slice of the offsets, in the order of their rows, and forgets those that expired or whose topic is
// gone, then groups that hold nothing any more. The result's Version is 1 while the pass over all groups goes on. A topic
// that is named as deleted loses its offsets with the first pass that begins DeletedTopicGrace after their commit.
func (m *Machine) sweep(ctx Context, c *command.GroupSweep, w keyspace.Writer) (*command.GroupResult, []string) {
	budget := min(int(min(c.Budget, SweepSteps)), SweepSteps)
	if budget == 0 {
		return &command.GroupResult{Code: broker.CodeInvalidRequest}, nil
	}
	gone := make(map[broker.TopicID]bool, len(c.DeletedTopics))
	for _, id := range c.DeletedTopics {
		gone[id] = true
	}
	var dropped []string
	for budget > 0 {
		i, there := slices.BinarySearch(m.names, m.cursor.group)
		if i == len(m.names) {
			m.cursor = cursorPosition{}
			return &command.GroupResult{}, dropped
		}
		if !there {
			m.cursor = cursorPosition{group: m.names[i]}
		}
		name := m.names[i]
		g := m.groups[name]
		if budget = m.sweepOffsets(ctx, c, name, g, gone, budget, w); budget == 0 {
			break // the cursor is inside the group, or at its end
		}
		m.expireHolds(ctx, name, g, w)
		if budget--; g.finished(ctx.Clock) {
			m.forget(name, w)
			dropped = append(dropped, name)
		}
		m.cursor = cursorPosition{group: name + "\x00"} // the least name after this one
	}
	return &command.GroupResult{Version: 1}, dropped
}

// sweepOffsets looks at the offsets of one group behind the cursor, one unit of budget each, and gives the budget left.
func (m *Machine) sweepOffsets(ctx Context, c *command.GroupSweep, name string, g *stored, gone map[broker.TopicID]bool, budget int, w keyspace.Writer) int {
	i, held := 0, len(g.txns.Holds()) > 0
	if m.cursor.begun {
		var at bool
		if i, at = slices.BinarySearchFunc(g.order, m.cursor.after, position.compare); at {
			i++
		}
	}
	for ; i < len(g.order) && budget > 0; budget-- {
		p := g.order[i]
		m.cursor.after, m.cursor.begun = p, true
		old := ctx.Clock >= g.offsets[p].CommittedAt+DeletedTopicGrace
		if gone[p.topic] && old || !held && g.expired(p, ctx.Clock, c.OffsetsRetentionMs) {
			m.dropOffset(name, g, p, w)
			continue
		}
		i++
	}
	return budget
}

// expired says whether an offset may go: the group has nobody who could need it, for as long as configured, or as the
// committer asked. In a stable group this can only be a topic that no member subscribes to.
func (g *stored) expired(p position, clock uint64, retentionMs int64) bool {
	o := g.offsets[p]
	if o.RetentionMs >= 0 {
		retentionMs = o.RetentionMs
	}
	if retentionMs < 0 {
		return false
	}
	since := o.CommittedAt
	switch {
	case g.state.Phase == PhaseEmpty && g.state.Version > 0:
		since = max(since, g.state.Since)
	case g.state.Phase == PhaseEmpty:
	case g.state.Phase == PhaseStable && g.subscribed != nil && !g.subscribed[p.name]:
		since = max(since, g.state.Since)
	default:
		return false
	}
	return clock >= since && clock-since >= uint64(retentionMs)
}

// finished says whether a group holds nothing any more. One that became empty just now is kept for a while: its members
// may be restarting.
func (g *stored) finished(clock uint64) bool {
	return g.state.Phase == PhaseEmpty && len(g.order) == 0 && g.txns.Len() == 0 && clock >= g.state.Since && clock-g.state.Since >= EmptyGroupGrace
}
