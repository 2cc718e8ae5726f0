package admin

import (
	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine"
	"github.com/tallymq/tallymq/engine/store"
	"github.com/tallymq/tallymq/ops/node"
)

// gathered is a node's figures at one scrape.
type gathered struct {
	journal journal.Stats
	rows    store.Stats
	engine  engine.Figures
	ready   bool
}

func gather(n *node.Node) *gathered {
	return &gathered{journal: n.Journal.Stats(), rows: n.Store.Stats(), engine: n.Engine.Figures(), ready: n.Engine.Ready() == nil}
}
