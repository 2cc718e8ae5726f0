package client

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
)

// TopicAlter changes a topic.
type TopicAlter struct {
	Name       string            `arg:"" help:"Name of the topic."`
	Set        map[string]string `short:"c" help:"Configuration to set, key=value, repeatable."`
	Unset      []string          `help:"Configuration that goes back to its default, repeatable."`
	Partitions int32             `short:"p" help:"Number of partitions afterwards; it can only grow. Keys move to other partitions."`
}

// Run changes it.
func (c *TopicAlter) Run(g *Globals) error {
	if len(c.Set)+len(c.Unset) == 0 && c.Partitions == 0 {
		return errors.New("nothing to alter: give --set, --unset or --partitions")
	}
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	var changes []kadm.AlterConfig
	for k, v := range c.Set {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: k, Value: &v})
	}
	for _, k := range c.Unset {
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: k})
	}
	if len(changes) > 0 {
		rs, err := adm.AlterTopicConfigs(ctx, changes, c.Name)
		if err != nil {
			return fmt.Errorf("alter topic %s: %w", c.Name, err)
		}
		for _, r := range rs {
			if r.Err != nil {
				return fmt.Errorf("alter topic %s: %w: %s", c.Name, r.Err, r.ErrMessage)
			}
		}
	}
	if c.Partitions != 0 {
		rs, err := adm.UpdatePartitions(ctx, int(c.Partitions), c.Name)
		if err == nil {
			err = rs.Error()
		}
		if err != nil {
			return fmt.Errorf("grow topic %s: %w", c.Name, err)
		}
	}
	return (&TopicDescribe{Name: c.Name}).Run(g)
}

// TopicTrim deletes a partition's oldest records.
type TopicTrim struct {
	Name      string `arg:"" help:"Name of the topic."`
	Partition int32  `arg:"" help:"The partition."`
	Before    int64  `arg:"" help:"Records below this offset are deleted; -1: all."`
}

// Run deletes them.
func (c *TopicTrim) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	os := kadm.Offsets{}
	os.AddOffset(c.Name, c.Partition, c.Before, -1)
	rs, err := adm.DeleteRecords(ctx, os)
	if err == nil {
		err = rs.Error()
	}
	if err != nil {
		return fmt.Errorf("trim %s/%d: %w", c.Name, c.Partition, err)
	}
	r, _ := rs.Lookup(c.Name, c.Partition)
	return g.Print(map[string]any{"topic": c.Name, "partition": c.Partition, "start": r.LowWatermark}, []string{"TOPIC", "PARTITION", "START"},
		[][]string{{c.Name, strconv.Itoa(int(c.Partition)), strconv.FormatInt(r.LowWatermark, 10)}})
}
