package routing

// What is fixed, each with its reason.
const (
	// nameBytesMax is what a short string holds: names of exchanges and queues, binding keys.
	nameBytesMax = 255
	// exchangesMax and bindingsMax bound what one virtual host may make every node keep in memory (about 500 bytes
	// each).
	exchangesMax = 100_000
	bindingsMax  = 1_000_000
	// weightMax bounds the weight of one binding of a consistent hash: products of weights and logarithms fit 128 bits
	// anyway, but larger ones are typing errors.
	weightMax = 1 << 20
	// countedListed is up to how many destinations are looked for in a list, not a map: most keys have fewer.
	countedListed = 16
	// visitedListed is up to how many exchanges of one walk are looked for in a list, not a map.
	visitedListed = 16
	// loopsListed is up to how many hash nodes of a trie are looked for in a list, not a map: most keys meet fewer.
	loopsListed = 16
)
