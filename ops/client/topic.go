package client

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Topic is the topic command.
type Topic struct {
	Create   TopicCreate   `cmd:"" help:"Create topics."`
	List     TopicList     `cmd:"" help:"List topics."`
	Describe TopicDescribe `cmd:"" help:"Show a topic's partitions, offsets and configuration."`
	Alter    TopicAlter    `cmd:"" help:"Change a topic's configuration, or give it more partitions; takes effect at once."`
	Trim     TopicTrim     `cmd:"" help:"Delete a partition's records below an offset."`
	Delete   TopicDelete   `cmd:"" help:"Delete topics and all their records."`
}

// TopicCreate creates topics.
type TopicCreate struct {
	Names      []string          `arg:"" help:"Names of the topics."`
	Partitions int32             `short:"p" default:"-1" help:"Number of partitions; -1: the cluster's default."`
	Replicas   int16             `short:"r" default:"-1" help:"Replication factor; -1: the cluster's."`
	Config     map[string]string `short:"c" help:"Topic configuration, key=value, repeatable."`
}

// Run creates them.
func (c *TopicCreate) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	configs := map[string]*string{}
	for k, v := range c.Config {
		configs[k] = &v
	}
	res, err := adm.CreateTopics(ctx, c.Partitions, c.Replicas, configs, c.Names...)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	var rows [][]string
	var out []map[string]any
	for _, r := range res.Sorted() {
		if r.Err != nil {
			return fmt.Errorf("create topic %s: %w: %s", r.Topic, r.Err, r.ErrMessage)
		}
		rows = append(rows, []string{r.Topic, r.ID.String(), strconv.Itoa(int(r.NumPartitions)), strconv.Itoa(int(r.ReplicationFactor))})
		out = append(out, map[string]any{"topic": r.Topic, "id": r.ID.String(), "partitions": r.NumPartitions, "replicas": r.ReplicationFactor})
	}
	return g.Print(out, []string{"TOPIC", "ID", "PARTITIONS", "REPLICAS"}, rows)
}

// TopicList lists topics.
type TopicList struct{}

// Run lists them.
func (c *TopicList) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	ts, err := adm.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var rows [][]string
	out := []map[string]any{}
	for _, t := range ts.Sorted() {
		leaderless := 0
		for _, p := range t.Partitions {
			if p.Leader < 0 {
				leaderless++
			}
		}
		rows = append(rows, []string{t.Topic, t.ID.String(), strconv.Itoa(len(t.Partitions)), strconv.Itoa(t.Partitions.NumReplicas()), strconv.Itoa(leaderless)})
		out = append(out, map[string]any{"topic": t.Topic, "id": t.ID.String(), "partitions": len(t.Partitions), "replicas": t.Partitions.NumReplicas(), "leaderless": leaderless})
	}
	return g.Print(out, []string{"TOPIC", "ID", "PARTITIONS", "REPLICAS", "LEADERLESS"}, rows)
}

// TopicDescribe shows one topic.
type TopicDescribe struct {
	Name string `arg:"" help:"Name of the topic."`
}

// Run shows it.
func (c *TopicDescribe) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	ts, err := adm.ListTopics(ctx, c.Name)
	if err != nil {
		return fmt.Errorf("describe topic %s: %w", c.Name, err)
	}
	t := ts[c.Name]
	if t.Err != nil {
		return fmt.Errorf("describe topic %s: %w", c.Name, t.Err)
	}
	starts, err := adm.ListStartOffsets(ctx, c.Name)
	if err != nil {
		return fmt.Errorf("list start offsets of %s: %w", c.Name, err)
	}
	ends, err := adm.ListEndOffsets(ctx, c.Name)
	if err != nil {
		return fmt.Errorf("list end offsets of %s: %w", c.Name, err)
	}
	cfgs, err := adm.DescribeTopicConfigs(ctx, c.Name)
	if err != nil {
		return fmt.Errorf("describe configuration of %s: %w", c.Name, err)
	}
	type part struct {
		Partition int32   `json:"partition"`
		Leader    int32   `json:"leader"`
		Epoch     int32   `json:"epoch"`
		Replicas  []int32 `json:"replicas"`
		Start     int64   `json:"start"`
		End       int64   `json:"end"`
	}
	var parts []part
	var rows [][]string
	for _, p := range t.Partitions.Sorted() {
		s, _ := starts.Lookup(c.Name, p.Partition)
		e, _ := ends.Lookup(c.Name, p.Partition)
		parts = append(parts, part{p.Partition, p.Leader, p.LeaderEpoch, p.Replicas, s.Offset, e.Offset})
		rows = append(rows, []string{fmt.Sprint(p.Partition), fmt.Sprint(p.Leader), fmt.Sprint(p.LeaderEpoch), strings.Trim(fmt.Sprint(p.Replicas), "[]"), offset(s), offset(e)})
	}
	set := map[string]string{}
	for _, rc := range cfgs {
		for _, kv := range rc.Configs {
			if kv.Value != nil && kv.Source.String() == "DYNAMIC_TOPIC_CONFIG" {
				set[kv.Key] = *kv.Value
			}
		}
	}
	if !g.JSON {
		fmt.Fprintf(g.out(), "topic %s  id %s  configuration %v\n", t.Topic, t.ID, set)
	}
	return g.Print(map[string]any{"topic": t.Topic, "id": t.ID.String(), "partitions": parts, "config": set},
		[]string{"PARTITION", "LEADER", "EPOCH", "REPLICAS", "START", "END"}, rows)
}

func offset(o kadm.ListedOffset) string {
	if o.Err != nil {
		return o.Err.Error()
	}
	return strconv.FormatInt(o.Offset, 10)
}

// TopicDelete deletes topics.
type TopicDelete struct {
	Names []string `arg:"" help:"Names of the topics."`
}

// Run deletes them.
func (c *TopicDelete) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	res, err := adm.DeleteTopics(ctx, c.Names...)
	if err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	var rows [][]string
	for _, r := range res.Sorted() {
		if r.Err != nil {
			return fmt.Errorf("delete topic %s: %w", r.Topic, r.Err)
		}
		rows = append(rows, []string{r.Topic})
	}
	return g.Print(map[string]any{"deleted": c.Names}, []string{"DELETED"}, rows)
}
