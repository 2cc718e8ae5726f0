package disk

import "time"

const (
	// sectorBytes is what a drive writes whole.
	sectorBytes = 512
	// pageBytes is what a kernel writes back together.
	pageBytes = 4096
	// stuckPoll is how often a stuck sync looks whether it may go on.
	stuckPoll = 10 * time.Millisecond
	// capacityDefault is how much a disk holds unless SetCapacity says less.
	capacityDefault = int64(1) << 40
)
