package admin

import (
	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine"
	"github.com/tallymq/tallymq/engine/store"
	"github.com/tallymq/tallymq/ops/node"
	"github.com/tallymq/tallymq/protocols/kafka"
)

// gathered is a node's figures at one scrape.
type gathered struct {
	journal journal.Stats
	rows    store.Stats
	engine  engine.Figures
	kafka   kafka.Stats
	ready   bool
}

func gather(n *node.Node) *gathered {
	return &gathered{journal: n.Journal.Stats(), rows: n.Store.Stats(), engine: n.Engine.Figures(), kafka: n.Kafka.Stats(), ready: n.Engine.Ready() == nil}
}
