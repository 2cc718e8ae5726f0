// Package admin is a node's HTTP side: health, readiness, metrics and the cluster's
// state as JSON.
//
//	GET /healthz       200 while the process works
//	GET /readyz        200 once clients can be served, else 503 and why
//	GET /metrics       Prometheus
//	GET /v1/cluster    nodes, shards, replicas, leaders, journal and space
//	GET /v1/digests    what each replica of the node holds, as a sum, and at which index
//	GET /debug/pprof/  Go's profiles
//
// It promises to change nothing: every route is a GET. Read server.go.
package admin
