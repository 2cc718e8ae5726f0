package journal

import (
	"time"

	"github.com/tallymq/tallymq/internal/point"
)

// Where the simulator may have this package do what may happen anyway (internal/point, Act).
var (
	actRollEarly   = point.NewAct("journal/roll-early")   // a segment ends long before it is full
	actBatchWaits  = point.NewAct("journal/batch-waits")  // the committer is late: more shares one batch
	actCacheMisses = point.NewAct("journal/cache-misses") // a block is gone from the cache when it is looked for
	actIndexMisses = point.NewAct("journal/index-misses") // so is a block of a footer
	actCollectLate = point.NewAct("journal/collect-late") // garbage is left for the next cycle
)

// actWaitMax is the longest that an act keeps the committer waiting.
const actWaitMax = 10 * time.Millisecond
