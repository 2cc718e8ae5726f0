package main

import (
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/tallymq/tallymq/ops/bench"
	"github.com/tallymq/tallymq/ops/client"
	"github.com/tallymq/tallymq/ops/node"
)

// cli is the whole command line.
type cli struct {
	Version kong.VersionFlag `help:"Print the version."`

	Serve   serve       `cmd:"" help:"Start a node."`
	Topic   topicGroup  `cmd:"" help:"Create, list, describe and delete topics."`
	Group   groupGroup  `cmd:"" help:"List, describe and delete consumer groups."`
	Txn     txnGroup    `cmd:"" help:"List, describe and abort transactions of Kafka's producers."`
	Queue   queueGroup  `cmd:"" help:"List queues, and say why keys of ordered ones wait."`
	Produce produceCmd  `cmd:"" help:"Send lines of standard input as records."`
	Consume consumeCmd  `cmd:"" help:"Print records."`
	Cluster clusterCmds `cmd:"" help:"Show the cluster."`
	Bench   benchCmd    `cmd:"" help:"Measure a cluster through Kafka's protocol."`
	Sim     simCmds     `cmd:"" help:"Run code in the deterministic simulator."`
	Rebuild rebuild     `cmd:"" help:"Set a stopped node's damaged stores aside, so that it is rebuilt from its peers."`
}

// The client commands share their flags; each embeds them so that they may stand
// behind the command's name.
type (
	topicGroup struct {
		client.Globals `embed:""`
		client.Topic   `embed:""`
	}
	groupGroup struct {
		client.Globals `embed:""`
		client.Group   `embed:""`
	}
	txnGroup struct {
		client.Globals `embed:""`
		client.Txn     `embed:""`
	}
	queueGroup struct {
		client.AdminGlobals `embed:""`
		client.Queue        `embed:""`
	}
	produceCmd struct {
		Flags client.Globals `embed:""`
		client.Produce
	}
	consumeCmd struct {
		Flags client.Globals `embed:""`
		client.Consume
	}
	benchCmd struct {
		Flags client.Globals `embed:""`
		bench.Bench
	}
	clusterCmds struct {
		Status client.ClusterStatus `cmd:"" help:"Show nodes, shards, replicas and leaders."`
	}
)

// AfterApply gives the shared flags to the commands' Run.
func (c *topicGroup) AfterApply(k *kong.Context) error { k.Bind(&c.Globals); return nil }

// AfterApply gives the shared flags to the commands' Run.
func (c *groupGroup) AfterApply(k *kong.Context) error { k.Bind(&c.Globals); return nil }

// AfterApply gives the shared flags to the commands' Run.
func (c *txnGroup) AfterApply(k *kong.Context) error { k.Bind(&c.Globals); return nil }

// AfterApply gives the shared flags to the commands' Run.
func (c *queueGroup) AfterApply(k *kong.Context) error { k.Bind(&c.AdminGlobals); return nil }

// Run sends.
func (c *produceCmd) Run() error { return c.Produce.Run(&c.Flags) }

// Run prints.
func (c *consumeCmd) Run() error { return c.Consume.Run(&c.Flags) }

// Run measures.
func (c *benchCmd) Run() error { return c.Bench.Run(&c.Flags) }

func main() {
	var c cli
	k := kong.Parse(&c,
		kong.Name("tallymq"),
		kong.Description("A transactional queue that acknowledges nothing before a majority has it on disk."),
		kong.UsageOnError(),
		kong.DefaultEnvars("TALLYMQ"),
		kong.Vars{"version": node.Version},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "tallymq:", err)
		os.Exit(1)
	}
}
