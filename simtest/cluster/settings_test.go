package cluster

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/config"
	"github.com/tallymq/tallymq/simtest"
)

// settings are what a world is beside its faults: small and large, slow and fast. Each
// is drawn from the seed, so that worlds differ in what is rare in them.
type settings struct {
	nodes           int
	topicPartitions int32 // of payments

	producersIdempotent, producersPlain, producersCareless int
	readers, members                                       int
	batch                                                  int // records that a producer gives at once, at most
	recordBytes                                            int // at most
	every                                                  time.Duration
	linger                                                 time.Duration
	compression                                            kgo.CompressionCodec
	balancer                                               kgo.GroupBalancer
	static                                                 bool   // members name an instance
	compacted                                              bool   // there are balances
	tellers                                                int    // clients that read, write and commit in transactions
	rivals                                                 bool   // all tellers have one transactional id
	protocols                                              string // of tellers' transactions
	length                                                 time.Duration
	damage                                                 []simtest.Verb // what may happen to one node's disk
	brokenMax                                              int            // nodes that may be down or cut off at once
	safety                                                 bool           // all disks may be damaged: nothing need go on, but nothing may be wrong
}

// draw asks for all settings of the clients.
func draw(w *simtest.World) settings {
	s := settings{
		nodes:               3,
		topicPartitions:     int32(w.Int("partitions", 2, 5)),
		producersIdempotent: w.Int("producers-idempotent", 1, 3),
		producersPlain:      w.Int("producers-plain", 0, 1),
		producersCareless:   w.Int("producers-careless", 0, 1),
		readers:             w.Int("readers", 1, 2),
		members:             w.Int("members", 2, 3),
		batch:               w.Int("batch-records", 1, 5),
		recordBytes:         w.Int("record-bytes", 32, 2000),
		every:               w.Duration("send-every", 40*time.Millisecond, 120*time.Millisecond),
		static:              w.Bool("members-static"),
		compacted:           w.Bool("compacted"),
		length:              w.Duration("plan-length", 20*time.Second, 30*time.Second),
	}
	if s.tellers = w.Int("tellers", 0, 3); s.tellers > 0 {
		s.rivals = w.Int("rivals-of-4", 0, 3) == 3
		s.protocols = w.OneOf("transaction-protocols", "second", "first", "both")
	}
	if w.Int("five-nodes-of-4", 0, 3) == 3 {
		s.nodes = 5
	}
	s.brokenMax = w.Int("broken-max", 1, s.nodes)
	if s.damage = damages[w.OneOf("damage", "none", "room", "errors", "rot", "misplaced", "wipe", "swapped")]; len(s.damage) > 0 {
		s.brokenMax = 1 // so that what one node lost is there on the others
	}
	if s.safety = w.Int("safety-of-8", 1, 8) == 8; s.safety {
		s.damage, s.brokenMax = damages[w.OneOf("damage-of-all", "rot", "misplaced", "errors", "room")], s.nodes
	}
	if w.Bool("producers-linger") {
		s.linger = 10 * time.Millisecond
	}
	s.compression = map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "snappy": kgo.SnappyCompression(), "gzip": kgo.GzipCompression(),
	}[w.OneOf("compression", "none", "lz4", "snappy", "gzip")]
	s.balancer = map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "sticky": kgo.StickyBalancer(), "cooperative": kgo.CooperativeStickyBalancer(),
	}[w.OneOf("balancer", "range", "sticky", "cooperative")]
	return s
}

// drawTransactional is draw for worlds with little but tellers and what they read.
func drawTransactional(w *simtest.World) settings {
	s := settings{
		nodes: 3, brokenMax: 1, topicPartitions: 3, producersIdempotent: 1, readers: 1, members: 1, batch: w.Int("batch-records", 1, 5), recordBytes: 64,
		tellers: w.Int("tellers", 2, 3), rivals: w.Int("rivals-of-4", 0, 3) == 3, protocols: w.OneOf("transaction-protocols", "second", "first", "both"),
		every: w.Duration("send-every", 40*time.Millisecond, 120*time.Millisecond), length: w.Duration("plan-length", 15*time.Second, 25*time.Second),
		compression: kgo.NoCompression(), balancer: kgo.RangeBalancer(),
	}
	return s
}

// damages are what may be wrong with one disk of a world. Of each kind there is little else:
// a node whose disk has everything is down for good.
var damages = map[string][]simtest.Verb{
	"room":      {simtest.FullDisk},
	"errors":    {simtest.SyncError, simtest.ReadError},
	"rot":       {simtest.Rot},
	"misplaced": {simtest.MisWrite, simtest.MisRead},
	"wipe":      {simtest.Wipe},
	"swapped":   {simtest.Swap},
}

// tune draws the nodes' configuration; small limits are more likely than large ones. In
// some worlds a node is given others at each start, as by an operator who tries what helps.
func tune(w *simtest.World) func(c *config.Config) {
	shards := w.Int("data-shards", 1, 4)
	rtt := w.Duration("rtt", 10*time.Millisecond, 50*time.Millisecond)
	check := w.Duration("compaction-check", 100*time.Millisecond, 2*time.Second)
	drawn := map[string]string{}
	for _, s := range sizes {
		drawn[s.name] = w.OneOf(s.name, s.kib...)
	}
	changes := w.Bool("config-changes")
	rng := w.Rand("config changes")
	return func(c *config.Config) {
		c.DataShards, c.RTT, c.CompactionCheckInterval = shards, rtt, check
		for _, s := range sizes {
			kib := drawn[s.name]
			if changes {
				kib = s.kib[rng.IntN(len(s.kib))]
			}
			n, err := strconv.Atoi(kib)
			if err != nil {
				w.T.Fatalf("setting %s: %v", s.name, err)
			}
			*s.of(c) = config.ByteSize(n) << 10
		}
	}
}

// size is a limit that may be another after each start.
type size struct {
	name string
	of   func(c *config.Config) *config.ByteSize
	kib  []string // the first is what a world begins with when nothing is drawn
}

var sizes = []size{
	{"segment-kib", func(c *config.Config) *config.ByteSize { return &c.SegmentBytes }, []string{"1024", "1024", "4096"}},
	{"journal-cache-kib", func(c *config.Config) *config.ByteSize { return &c.JournalCacheBytes }, []string{"1024", "64", "64", "16384"}},
	{"row-cache-kib", func(c *config.Config) *config.ByteSize { return &c.RowCacheBytes }, []string{"1024", "64", "16384"}},
	{"memtable-kib", func(c *config.Config) *config.ByteSize { return &c.MemtableBytes }, []string{"1024", "1024", "4096"}},
	{"snapshot-kib", func(c *config.Config) *config.ByteSize { return &c.SnapshotBytes }, []string{"4096", "16", "64", "512"}},
	{"log-keep-kib", func(c *config.Config) *config.ByteSize { return &c.LogKeepBytes }, []string{"8192", "16", "64", "512"}},
	{"scrub-kib-per-second", func(c *config.Config) *config.ByteSize { return &c.ScrubBytesPerSec }, []string{"1024", "0", "4096"}},
}
