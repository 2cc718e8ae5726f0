package config

import (
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// defaults fills a Config as the command line does.
func defaults(t *testing.T, args ...string) *Config {
	t.Helper()
	var c Config
	p, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestDefaultsAreValid(t *testing.T) {
	c := defaults(t)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.SegmentBytes != 256<<20 || c.RTT != 50*time.Millisecond || !c.AutoCreateTopics {
		t.Fatalf("defaults not as documented: %+v", c)
	}
}

// Each wrong value is refused by a message that names its key.
func TestValidateNamesTheKey(t *testing.T) {
	for _, x := range []struct {
		key   string
		wrong func(*Config)
	}{
		{"node-id", func(c *Config) { c.NodeID = 0 }},
		{"data-dir", func(c *Config) { c.DataDir = "" }},
		{"kafka-listen", func(c *Config) { c.KafkaListen = "nine" }},
		{"admin-listen", func(c *Config) { c.AdminListen = "host:99999" }},
		{"raft-listen", func(c *Config) { c.RaftListen = ":7092" }},
		{"rpc-listen", func(c *Config) { c.RPCListen = "0.0.0.0:7093" }},
		{"kafka-advertise", func(c *Config) { c.KafkaAdvertise = "host" }},
		{"join", func(c *Config) { c.Join = []string{"host"} }},
		{"initial-cluster", func(c *Config) { c.InitialCluster = []string{"2=a:1/a:2"} }},
		{"initial-cluster", func(c *Config) { c.InitialCluster = []string{"1=a:1/a:2"} }},
		{"data-shards", func(c *Config) { c.DataShards = 0 }},
		{"default-partitions", func(c *Config) { c.DefaultPartitions = -1 }},
		{"max-connections", func(c *Config) { c.MaxConnections = 0 }},
		{"journal-segment-bytes", func(c *Config) { c.SegmentBytes = 1 }},
		{"inflight-bytes", func(c *Config) { c.InflightBytes = 1 }},
		{"reading-bytes", func(c *Config) { c.ReadingBytes = 1 }},
		{"raft-rtt", func(c *Config) { c.RTT = 0 }},
	} {
		c := defaults(t)
		x.wrong(c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), x.key+": ") {
			t.Errorf("%s: got %v", x.key, err)
		}
	}
}

func TestFile(t *testing.T) {
	vs, err := ReadFile(strings.NewReader("node-id: 3\nkafka:\n  listen: 127.0.0.1:1\ndata_shards: 8\n"))
	if err != nil || vs["kafka-listen"] != "127.0.0.1:1" || len(vs) != 3 {
		t.Fatalf("%v %v", vs, err)
	}
	if _, err := ReadFile(strings.NewReader("kafka:\n  lisden: x\n")); err == nil || !strings.Contains(err.Error(), `"kafka-lisden"`) {
		t.Fatalf("unknown key: %v", err)
	}
}

func TestByteSize(t *testing.T) {
	for s, want := range map[string]ByteSize{"1": 1, "64MiB": 64 << 20, "10 MB": 10e6, "2GiB": 2 << 30, "0": 0} {
		if got, err := ParseByteSize(s); err != nil || got != want {
			t.Errorf("%s: %v %v", s, got, err)
		}
		if again, err := ParseByteSize(want.String()); err != nil || again != want {
			t.Errorf("%v: does not come back: %v %v", want, again, err)
		}
	}
	for _, s := range []string{"", "x", "-1", "1XB", "99999999TiB"} {
		if got, err := ParseByteSize(s); err == nil {
			t.Errorf("%q: %v accepted", s, got)
		}
	}
}
