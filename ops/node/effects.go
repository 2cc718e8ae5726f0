package node

import (
	"context"
	"net"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/consensus/journal"
)

// Effects are the node's hands: what it does to the world goes through them.
type Effects struct {
	FS     vfs.FS
	Direct journal.DirectOpener // nil: the journal writes through FS
	Listen func(addr string) (net.Listener, error)
	Dial   func(ctx context.Context, addr string) (net.Conn, error)
	// Transport carries Raft messages; nil: streams of Listen and Dial (consensus/rafttcp).
	Transport consensus.TransportFactory
}

// OS are the effects of a real process.
func OS(direct bool) Effects {
	e := Effects{
		FS:     vfs.Default,
		Listen: func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) },
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		},
	}
	if direct {
		e.Direct = journal.OSDirect()
	}
	return e
}
