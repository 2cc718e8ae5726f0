package check

// violationsMax is how many violations of one anomaly are listed; the others are
// counted. A partition that lost everything would fill a disk.
const violationsMax = 64

// cycleStartsMax is from how many edges of a strongly connected set of operations a
// cycle of one kind is looked for. A set that has none through so many has no
// simple one, as far as has been seen.
const cycleStartsMax = 256
