// Package quota measures what Kafka's clients move against their quotas (KIP-13, KIP-55, KIP-546), and says how long one has to rest.
//
// It promises: (1) over any time T, what clients who share a bucket moved is at most their rate times T, plus the rate times Burst, plus one
// request or answer each and what is beyond RestMax; (2) the quota that counts for a client is the one that Kafka's precedence
// names; (3) memory is bounded whatever client ids peers choose: past BucketsMax they share buckets; (4) while no quota is set,
// a charge takes no lock.
//
// It does not rest anybody: connections do.
//
//	broker.QuotaTable ─► index ─┐
//	(user, client id) ──────────┴─► match: rate, and who shares it ─► bucket: tokens, negative while in debt ─► rest
//
// Read meter.go, then match.go.
package quota
