package store

import "github.com/tallymq/tallymq/internal/point"

// actFlushEarly is where the simulator may have the store flush after any commit (internal/point, Act): which rows a
// power loss leaves is never certain.
var actFlushEarly = point.NewAct("store/flush-early")
