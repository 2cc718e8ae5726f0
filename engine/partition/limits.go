package partition

const (
	// ProducersMaxDefault bounds the producers (one per producer id and partition) that a shard remembers: at about
	// 510 bytes each in memory if each has a partition of its own, 67 MB. At the bound new producers are throttled;
	// known ones go on. (A partition without producers takes about 430 bytes.)
	ProducersMaxDefault = 1 << 17

	// sweepOffsetsMax is how many offsets' rows one piece of a Sweep frees. The range deletion is one operation of
	// the store whatever it covers; the bound keeps one tombstone from hiding work of hours from the compactions.
	sweepOffsetsMax = 1 << 20

	// sweepBudgetMax bounds what a Sweep may ask for: one entry must not stall the shard.
	sweepBudgetMax = 4096

	// CompactItemsMax bounds the rows that one PartitionCompact replaces, as sweepBudgetMax does for a Sweep.
	CompactItemsMax = 4096

	// runFanOut is how many batches make a run of level 1, and how many runs one of the next level: a look-up by
	// time reads at most runFanOut rows on each level below the top.
	runFanOut = 64

	// runLevels: the top level's runs are of 64³ = 262,144 batches.
	runLevels = 3

	// epochMax is the greatest leader epoch: they are int32 on Kafka's wire.
	epochMax = 1<<31 - 1
)
