package tallysim

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
)

// KafkaOptions are what a client needs to reach the cluster: seed brokers, dialer,
// and the client id. Everything else is the user's, as in production. A hook tells the
// world's events what the client asks of groups and transactions.
func (p *Process) KafkaOptions() []kgo.Opt {
	return append(p.c.reach(p.sim), kgo.WithHooks(requests{p}))
}

// requests is a hook of franz-go that writes down those requests that say how far a
// consumer has come. The others would fill a report: fetches, heartbeats.
type requests struct{ p *Process }

// told are the keys of Kafka's protocol that are written down.
var told = map[int16]string{
	8: "OffsetCommit", 11: "JoinGroup", 13: "LeaveGroup", 14: "SyncGroup", 22: "InitProducerId", 26: "EndTxn", 28: "TxnOffsetCommit",
}

// OnBrokerE2E is called when an answer was read, or the connection broke before it.
// The answer may hold an error code, which only the client sees.
func (r requests) OnBrokerE2E(broker kgo.BrokerMetadata, key int16, e kgo.BrokerE2E) {
	name, ok := told[key]
	if !ok {
		return
	}
	if err := e.Err(); err != nil {
		r.p.Logf("%s to %s has no answer: %v", name, broker.Host, err)
		return
	}
	r.p.Logf("%s to %s is answered", name, broker.Host)
}

var _ kgo.HookBrokerE2E = requests{}

// reach is how a process's client finds the cluster.
func (c *Cluster) reach(p *simtest.Process) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(c.nodes.Seeds()...), kgo.Dialer(p.Host.Dial), kgo.ClientID(p.Name())}
}
