// Package bench measures a cluster through Kafka's protocol: any broker that is named by
// --bootstrap, so that two brokers can be measured by the same tool in the same hour.
//
// It promises: (1) a record counts once it was acknowledged with acks=all by an
// idempotent producer; (2) payloads are random bytes, not compressed; (3) figures are
// rates and latency percentiles over a fixed time after a warm-up that does not count.
// Figures of different machines or hours do not compare: run both sides in turn.
//
//	produce  clients that keep batches in flight: records per second
//	single   clients that send one record and wait: latency, and rate over all
//	consume  from the log's start: records per second
//
// Read bench.go.
package bench
