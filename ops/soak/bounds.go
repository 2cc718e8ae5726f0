package main

import "time"

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// The bounds that are judged.
const (
	// partitionHeapMax is the heap of one idle partition on one replica: its state in the
	// machine and its published head (about 250 bytes each), their places in three
	// maps, its share of the catalog's topic. Four times that leaves room for growth of maps.
	partitionHeapMax = 2 * kib

	// connectionHeapMax is the heap of one idle connection: buffer of 512 bytes, context,
	// the runtime's descriptor; connectionMemoryMax adds its goroutine's stack. The
	// kernel's socket is not the process's memory and is not counted.
	connectionHeapMax   = 4 * kib
	connectionMemoryMax = 10 * kib

	// connectionGoroutinesMax: one that reads. Anything that an answered request left
	// behind would show here.
	connectionGoroutinesMax = 1.01

	// connectionLeakMax is what one that was opened and closed may leave when as many were
	// before it: nothing, but for what the runtime happens to keep.
	connectionLeakMax = 200

	// idleCPUMax is the share of one core that a node may use with nothing to do; heartbeats
	// and clocks of five Raft groups, whatever the number of partitions.
	idleCPUMax = 0.10

	// backlogHeapMax is the heap that may stay once all clients are gone: the journal's
	// cache (64 MiB here), 5 spare entry buffers of up to a megabyte for each of four data shards, the footers' index;
	// and of a cluster, for each other node, 8 connections' buffers of a megabyte and four more data shards' applied entries.
	backlogHeapMax     = 160 * mib
	backlogHeapPerPeer = 24 * mib

	// backlogAllowance is what the resident set may exceed the memory limit by: the limit is
	// the Go runtime's, a soft one. Beside it there are the program's text (about 25 MiB
	// mapped) and what was freed and not yet returned.
	backlogAllowance = 128 * mib
)

// How long and how much.
const (
	patience    = 3 * time.Minute // for everything that must succeed at some time
	idleSeconds = 10              // an idle node is watched for so long
	settleWait  = 7 * time.Second // after work, before a state is called idle: Raft frees applied entries after 5 s
)
