package admin

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tallymq/tallymq/ops/node"
)

// Time-outs of the admin server: its answers are small.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 2 * time.Minute // a profile takes as long as it was asked to
)

// Server is the admin server of one node.
type Server struct {
	http *http.Server
	addr net.Addr
}

// Serve listens and answers until Close.
func Serve(n *node.Node, l net.Listener) *Server {
	s := &Server{http: &http.Server{Handler: Handler(n), ReadTimeout: readTimeout, WriteTimeout: writeTimeout}, addr: l.Addr()}
	go func() { _ = s.http.Serve(l) }() // ends with Close
	return s
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.addr }

// Close stops it.
func (s *Server) Close(ctx context.Context) error { return s.http.Shutdown(ctx) }

// Handler answers the routes of a node.
func Handler(n *node.Node) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, n.Engine.Ready()) })
	mux.HandleFunc("GET /v1/cluster", func(w http.ResponseWriter, _ *http.Request) { tell(w, n.Engine.Describe()) })
	mux.HandleFunc("GET /v1/digests", func(w http.ResponseWriter, _ *http.Request) {
		d, err := n.Engine.Digests()
		if err != nil {
			answer(w, err)
			return
		}
		tell(w, d)
	})
	queueRoutes(mux, n)
	transactionRoutes(mux, n)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry(n), promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	return mux
}

func tell(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(what)
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(map[string]string{"status": "not ready", "why": err.Error()})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"status": "ok"})
}
