package simtest

import (
	"sync"
	_ "unsafe" // for go:linkname
)

// finalizeLock is dragonboat's: it has one for all node hosts of a process, held while a received snapshot gets its final
// name. A node that was killed while its slow disk did that kept it for ever, and no node of the world received a snapshot
// again. (In a binary without dragonboat the name is nobody else's.)
//
//go:linkname finalizeLock github.com/lni/dragonboat/v4/internal/server.finalizeLock
var finalizeLock sync.Mutex
