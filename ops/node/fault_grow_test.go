package node_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// join starts a new node that knows one node of the cluster.
func (c *servers) join() *server {
	c.t.Helper()
	s := c.add()
	s.cfg.Join = []string{c.nodes[0].cfg.RPCListen}
	c.startAll(s)
	return s
}

// One node becomes three while it serves: every shard grows to three replicas.
func TestFaultOneBecomesThree(t *testing.T) {
	t.Parallel()
	c := newServers(t, 1, nil)
	l := startLoad(t, c, 4, 1, 200, 200)
	c.join()
	c.join()
	c.ready()
	c.healthy(nil)
	l.progress(100)
	// Three replicas are three: the first node is not needed any more.
	c.nodes[0].stop()
	l.progress(100)
	if err := c.nodes[0].start(); err != nil {
		t.Fatal(err)
	}
	l.finish()
}

// Three nodes become five: replicas move to the new ones until no node has two more than
// another, and clients that know one node only, whichever it is, reach every partition.
func TestFaultThreeBecomeFive(t *testing.T) {
	t.Parallel()
	c := newServers(t, 3, nil)
	l := startLoad(t, c, 4, 1, 200, 200)
	c.join()
	c.join()
	c.ready()
	eventually(t, "balanced", func() error {
		count := map[int32]int{}
		for _, sh := range c.nodes[4].cluster().Shards {
			if len(sh.Replicas) != 3 {
				return fmt.Errorf("shard %d has %d replicas", sh.ID, len(sh.Replicas))
			}
			for _, r := range sh.Replicas {
				if r.State != "voting" {
					return fmt.Errorf("shard %d: %+v", sh.ID, r)
				}
				count[int32(r.Node)]++
			}
		}
		for i := range int32(5) {
			if n := count[i+1]; n < 1 || n > 2 { // 3 shards of 3 replicas on 5 nodes
				return fmt.Errorf("replicas by node: %v", count)
			}
		}
		return nil
	})
	c.healthy(nil)
	l.progress(100)
	for _, s := range c.nodes {
		through(t, s, 4)
	}
	l.finish()
}

// through produces to every partition by way of one node and reads it back.
func through(t *testing.T, s *server, partitions int32) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cfg.KafkaListen), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	id := 1000 + int(s.cfg.NodeID)
	for p := range partitions {
		r := cl.ProduceSync(t.Context(), &kgo.Record{Partition: p, Value: value(id, int(p), 50)})
		if err := r.FirstErr(); err != nil {
			t.Fatalf("node %d: produce to partition %d: %v", s.cfg.NodeID, p, err)
		}
		at := r[0].Record.Offset
		reader, err := kgo.NewClient(kgo.SeedBrokers(s.cfg.KafkaListen), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().At(at)}}))
		if err != nil {
			t.Fatal(err)
		}
		fs := reader.PollFetches(t.Context())
		reader.Close()
		if fs.NumRecords() == 0 || string(fs.Records()[0].Value) != string(value(id, int(p), 50)) || fs.Records()[0].Offset != at {
			t.Fatalf("node %d: partition %d offset %d: read %v", s.cfg.NodeID, p, at, fs.Errors())
		}
	}
}
