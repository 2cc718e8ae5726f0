package store

import (
	"math"
	"time"

	"github.com/tallymq/tallymq/internal/invariant"
)

// Every bound of the package, with its unit and its reason.
const (
	// cacheBytesDefault holds the hot blocks of a few hundred MB of rows; rows are names and counters, payloads are not here.
	cacheBytesDefault = 64 << 20
	// memTableBytesDefault is the schedule of flushes: this many bytes of rows of all replicas together. 16 MiB of rows are
	// about 150,000 record batches, so a restart replays seconds of log, and a flush writes four tables in one go.
	memTableBytesDefault = 16 << 20
	memTableBytesMin     = 64 << 10
	// openFilesDefault bounds table readers; at 4 to 32 MiB a table, more than 2 GiB of rows stay open.
	openFilesDefault = 500
	// compactionsMax: two of them would starve the apply workers on a machine of two cores unless a debt asks for it.
	compactionsMax = 2

	// stallMemTables and stallTables (of level 0) hold committers back when flushes or compactions do not keep up. They are ours,
	// not pebble's: pebble waits while it holds its commit lock, so that Close hangs for as long as the disk is full.
	stallMemTables = 4
	stallTables    = 150
	// rowOverheadBytes is a node of the memtable's skip list beyond key and value.
	rowOverheadBytes = 64
	// neverStall lifts pebble's own thresholds out of reach (pebble multiplies the first by the size of a memtable).
	neverStall = 1 << 16

	// retryBackoff is how long a flush, compaction or manifest write waits after a failure before pebble, which retries
	// at once and for ever, may create the next table.
	retryBackoff = 200 * time.Millisecond

	// Rows. A row must fit into one frame of a stream.
	keyBytesMax   = 16 << 10
	valueBytesMax = 8 << 20
	metaBytesMax  = 1 << 20

	// A frame of a rows stream ends once it has frameBytesTarget bytes; only one that holds a single large row is longer.
	frameBytesTarget = 256 << 10
	frameBytesMax    = frameBytesTarget + valueBytesMax + keyBytesMax + 2*maxVarintBytes
	// readStepBytes bounds what a lying length can make the decoder allocate ahead of the bytes that really come.
	readStepBytes = 64 << 10
	// installBatchBytes is how much of a stream one pebble batch holds while it is installed.
	installBatchBytes = 1 << 20

	maxVarintBytes = 5
)

func init() {
	invariant.Check(frameBytesMax < math.MaxUint32, "a frame of %d bytes does not fit its length field", frameBytesMax)
	invariant.Check(metaBytesMax <= frameBytesMax, "meta of %d bytes does not fit a frame of %d", metaBytesMax, frameBytesMax)
	invariant.Check(readStepBytes <= frameBytesTarget, "a read step of %d bytes is above a frame of %d", readStepBytes, frameBytesTarget)
}
