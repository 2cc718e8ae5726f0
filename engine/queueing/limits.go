package queueing

const (
	// chunkMessages is how many sequences share a chunk's row.
	chunkMessages = 1024

	// creditDefault is what a consumer without a limit may have unsettled, in messages (RabbitMQ's bound of a quorum
	// queue's consumer).
	creditDefault = 2000

	// consumersMax bounds the consumers of a shard: they are written in one row, of some 100 bytes each.
	consumersMax = 20_000

	// foldCommands and foldBytes bound what Load applies again, in commands and bytes of deltas: some tens of milliseconds.
	foldCommands = 8192
	foldBytes    = 4 << 20

	// deltaRowBytes bounds one row of deltas, unless one command is larger: commands are below 8 MiB.
	deltaRowBytes = 256 << 10

	// sliceMessages is how many messages one command frees at most beside its own doing.
	sliceMessages = 4096

	// holderKeptMs is how long, in ms of replicated time, it is remembered which transactions of a producer have ended after the
	// last one: far longer than a grant can be on its way.
	holderKeptMs = 24 * 60 * 60 * 1000

	// seenChunk is how many message ids share a row.
	seenChunk = 1024

	// keyBytesMax is how long a key of the order is; what is longer is told by its beginning and its SHA-256.
	keyBytesMax = 255

	// timesSlack is how many times of messages that are not ready any more are kept beside those of as many that are.
	timesSlack = 1024

	// unmeasured marks a lease whose time has not begun: no deadline in ms has this bit.
	unmeasured = 1 << 63

	// payloadBytesMax is more than a command's payload takes (consensus bounds commands at 32 MiB): a row that tells of more is wrong.
	payloadBytesMax = 64 << 20

	// returnsMax is where the count of returns of a message ends.
	returnsMax = 1<<32 - 1
)
