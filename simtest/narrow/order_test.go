package narrow

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
)

// TestAConnectionKeepsItsOrder: requests that follow each other on one connection, with
// no answer in between and no sequence numbers that would tell, are appended in order.
func TestAConnectionKeepsItsOrder(t *testing.T) {
	world(t, nil, func(x *narrow) {
		stop := make(chan struct{})
		_, done := x.begin("piper", func(p *simtest.Process, cl *kgo.Client) error {
			for n := 0; !stopped(stop, time.Millisecond); n++ {
				x.send(p, cl, topic, n, 0, 100)
			}
			return cl.Flush(context.Background())
		}, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.RecordRetries(0),
			kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(5))
		x.faults(3*time.Second, func(f *faults) {
			f.wait(100*time.Millisecond, time.Second)
			f.link(simtest.Slow, 100*time.Millisecond, time.Second)
		})
		close(stop)
		x.settled(done)
		x.readAll(topic)
		x.replicas()
	})
}
