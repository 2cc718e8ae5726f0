package consensus

import "github.com/lni/dragonboat/v4/config"

// TransportFactory makes what carries Raft messages between nodes. It has its name here so that who assembles a node
// need not know the library.
type TransportFactory = config.TransportFactory
