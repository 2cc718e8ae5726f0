package participant

// PendingOffsetsMax bounds, in partitions, what one transaction may commit for one group: the apply of its decision
// writes a row for each, and work per entry is bounded. A group over all partitions of a large cluster fits.
const PendingOffsetsMax = 20_000
