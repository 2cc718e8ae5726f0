package client

import (
	"fmt"
	"strconv"
)

// Group is the group command.
type Group struct {
	List     GroupList     `cmd:"" help:"List consumer groups."`
	Describe GroupDescribe `cmd:"" help:"Show a group's members, offsets and lag."`
	Delete   GroupDelete   `cmd:"" help:"Delete empty groups and their offsets."`
}

// GroupList lists groups.
type GroupList struct{}

// Run lists them.
func (c *GroupList) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	gs, err := adm.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	var rows [][]string
	out := []map[string]any{}
	for _, x := range gs.Sorted() {
		rows = append(rows, []string{x.Group, x.State, x.ProtocolType, strconv.Itoa(int(x.Coordinator))})
		out = append(out, map[string]any{"group": x.Group, "state": x.State, "protocol_type": x.ProtocolType, "coordinator": x.Coordinator})
	}
	return g.Print(out, []string{"GROUP", "STATE", "TYPE", "COORDINATOR"}, rows)
}

// GroupDescribe shows one group.
type GroupDescribe struct {
	Name string `arg:"" help:"Name of the group."`
}

// Run shows it.
func (c *GroupDescribe) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	lags, err := adm.Lag(ctx, c.Name)
	if err != nil {
		return fmt.Errorf("describe group %s: %w", c.Name, err)
	}
	l := lags[c.Name]
	if err := l.Error(); err != nil {
		return fmt.Errorf("describe group %s: %w", c.Name, err)
	}
	type row struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Committed int64  `json:"committed"`
		End       int64  `json:"end"`
		Lag       int64  `json:"lag"`
		Member    string `json:"member,omitempty"`
		Host      string `json:"host,omitempty"`
	}
	var out []row
	var rows [][]string
	for _, p := range l.Lag.Sorted() {
		r := row{Topic: p.Topic, Partition: p.Partition, Committed: p.Commit.At, End: p.End.Offset, Lag: p.Lag}
		if p.Member != nil {
			r.Member, r.Host = p.Member.MemberID, p.Member.ClientHost
		}
		out = append(out, r)
		rows = append(rows, []string{r.Topic, fmt.Sprint(r.Partition), fmt.Sprint(r.Committed), fmt.Sprint(r.End), fmt.Sprint(r.Lag), r.Member, r.Host})
	}
	if !g.JSON {
		fmt.Fprintf(g.out(), "group %s  state %s  protocol %s  coordinator %d  members %d\n", l.Group, l.State, l.Protocol, l.Coordinator.NodeID, len(l.Members))
	}
	return g.Print(map[string]any{"group": l.Group, "state": l.State, "protocol": l.Protocol, "coordinator": l.Coordinator.NodeID, "members": len(l.Members), "offsets": out},
		[]string{"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "HOST"}, rows)
}

// GroupDelete deletes groups.
type GroupDelete struct {
	Names []string `arg:"" help:"Names of the groups."`
}

// Run deletes them.
func (c *GroupDelete) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	res, err := adm.DeleteGroups(ctx, c.Names...)
	if err != nil {
		return fmt.Errorf("delete groups: %w", err)
	}
	var rows [][]string
	for _, r := range res.Sorted() {
		if r.Err != nil {
			return fmt.Errorf("delete group %s: %w", r.Group, r.Err)
		}
		rows = append(rows, []string{r.Group})
	}
	return g.Print(map[string]any{"deleted": c.Names}, []string{"DELETED"}, rows)
}
