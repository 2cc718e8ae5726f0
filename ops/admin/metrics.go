package admin

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tallymq/tallymq/ops/node"
)

// collector reads a node's figures when it is scraped; nothing is counted twice.
type collector struct {
	n    *node.Node
	desc []figure
}

// figure is one metric and how to read it from what was gathered.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*gathered) float64
}

func registry(n *node.Node) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newCollector(n))
	return r
}

func newCollector(n *node.Node) *collector {
	c := &collector{n: n}
	add := func(kind prometheus.ValueType, name, help string, value func(*gathered) float64) {
		c.desc = append(c.desc, figure{prometheus.NewDesc("tallymq_"+name, help, nil, nil), kind, value})
	}
	gauge := func(name, help string, value func(*gathered) float64) { add(prometheus.GaugeValue, name, help, value) }
	counter := func(name, help string, value func(*gathered) float64) {
		add(prometheus.CounterValue, name, help, value)
	}
	counter("transactions_committed_total", "Transactions that were committed, counted at the node that was asked: its coordinators, and AMQP connections over several shards.", func(g *gathered) float64 { return float64(g.engine.Transactions.Committed) })
	for _, reason := range []string{"producer", "init", "timeout", "operator", "markers"} {
		c.desc = append(c.desc, figure{prometheus.NewDesc("tallymq_transactions_aborted_total", "Transactions that were aborted, by reason, counted at the node that was asked.", nil, prometheus.Labels{"reason": reason}),
			prometheus.CounterValue, func(g *gathered) float64 { return float64(g.engine.Transactions.Aborted[reason]) }})
	}
	gauge("transactions_open", "Open transactions that this node coordinates.", func(g *gathered) float64 { return float64(g.engine.Transactions.Open) })
	gauge("transactions_oldest_seconds", "How long the oldest of them has been open.", func(g *gathered) float64 { return g.engine.Transactions.Oldest.Seconds() })
	gauge("transactions_owed", "Decided transactions that some participant has not acknowledged.", func(g *gathered) float64 { return float64(g.engine.Transactions.Owed) })
	counter("journal_syncs_total", "Durable writes of the journal.", func(g *gathered) float64 { return float64(g.journal.Syncs) })
	counter("journal_batches_total", "Batches the journal wrote.", func(g *gathered) float64 { return float64(g.journal.Batches) })
	counter("journal_written_bytes_total", "Bytes the journal wrote, padding included.", func(g *gathered) float64 { return float64(g.journal.BytesWritten) })
	counter("journal_freed_bytes_total", "Bytes of segments that were freed.", func(g *gathered) float64 { return float64(g.journal.BytesFreed) })
	counter("journal_relocated_bytes_total", "Live bytes copied out of mostly dead segments.", func(g *gathered) float64 { return float64(g.journal.RelocatedBytes) })
	counter("journal_scrubbed_bytes_total", "Bytes checked in the background.", func(g *gathered) float64 { return float64(g.journal.ScrubbedBytes) })
	counter("journal_cache_hits_total", "Payload reads served from memory.", func(g *gathered) float64 { return float64(g.journal.CacheHits) })
	counter("journal_cache_misses_total", "Payload reads served from disk.", func(g *gathered) float64 { return float64(g.journal.CacheMisses) })
	gauge("journal_segments", "Segments in use.", func(g *gathered) float64 { return float64(g.journal.Segments) })
	gauge("journal_live_bytes", "Bytes in segments that were live when last judged.", func(g *gathered) float64 { return float64(g.journal.LiveBytes) })
	gauge("journal_cache_bytes", "Recent entries held in memory.", func(g *gathered) float64 { return float64(g.journal.CacheBytes) })
	gauge("journal_damages", "Known damages that are not repaired.", func(g *gathered) float64 { return float64(g.journal.Damages) })
	counter("journal_repairs_total", "Damages repaired from peers.", func(g *gathered) float64 { return float64(g.journal.Repairs) })
	gauge("journal_space_level", "0: enough, 1: low (writes are refused or moved), 2: critical.", func(g *gathered) float64 { return float64(g.journal.Space) })
	gauge("rows_disk_bytes", "Size of the row store on disk.", func(g *gathered) float64 { return float64(g.rows.DiskBytes) })
	gauge("rows_memtable_bytes", "Rows in memory that are not flushed.", func(g *gathered) float64 { return float64(g.rows.MemTableBytes) })
	gauge("produced_inflight_bytes", "Produced bytes on their way through consensus.", func(g *gathered) float64 { return float64(g.engine.ProducedInFlight) })
	gauge("read_inflight_bytes", "Fetched bytes not yet written to clients.", func(g *gathered) float64 { return float64(g.engine.ReadInFlight) })
	gauge("kafka_connections", "Connections of Kafka clients.", func(g *gathered) float64 { return float64(g.kafka.Connections) })
	counter("kafka_connections_accepted_total", "Connections of Kafka clients that were accepted.", func(g *gathered) float64 { return float64(g.kafka.Accepted) })
	counter("kafka_connections_refused_total", "Connections of Kafka clients that were refused at a limit.", func(g *gathered) float64 { return float64(g.kafka.Refused) })
	counter("kafka_connections_faulted_total", "Connections of Kafka clients that were ended for what they sent.", func(g *gathered) float64 { return float64(g.kafka.Faults) })
	counter("kafka_requests_total", "Requests of Kafka clients.", func(g *gathered) float64 { return float64(g.kafka.Requests) })
	counter("kafka_quota_rests_total", "Times that a connection had to rest for a client's quota.", func(g *gathered) float64 { return float64(g.kafka.Rests) })
	gauge("kafka_request_bytes", "Bytes of Kafka requests that are not answered.", func(g *gathered) float64 { return float64(g.kafka.RequestBytes) })
	gauge("kafka_response_bytes", "Fetched bytes that Kafka clients have not taken yet.", func(g *gathered) float64 { return float64(g.kafka.ResponseBytes) })
	gauge("kafka_fetch_sessions", "Fetch sessions of Kafka clients.", func(g *gathered) float64 { return float64(g.kafka.FetchSessions) })
	gauge("partitions", "Partitions hosted here.", func(g *gathered) float64 { return float64(g.engine.Partitions) })
	gauge("shards_leading", "Shards led here.", func(g *gathered) float64 { return float64(g.engine.Leading) })
	gauge("ready", "1 once clients can be served.", func(g *gathered) float64 {
		if g.ready {
			return 1
		}
		return 0
	})
	return c
}

// Describe lists the metrics.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.desc {
		ch <- f.desc
	}
}

// Collect reads all of them at one time.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	g := gather(c.n)
	for _, f := range c.desc {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(g))
	}
}
