package admin

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/ops/node"
)

// queueRoutes answer for queues: their counts, why keys of ordered ones wait, and the release of those whose message failed too often.
func queueRoutes(mux *http.ServeMux, n *node.Node) {
	mux.HandleFunc("GET /v1/queues", func(w http.ResponseWriter, _ *http.Request) { tell(w, n.Engine.Queues()) })
	mux.HandleFunc("GET /v1/queue/keys", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		parked, _ := strconv.ParseBool(q.Get("parked"))
		keys, err := n.Engine.QueueKeys(r.Context(), q.Get("vhost"), q.Get("name"), parked)
		if err != nil {
			refuse(w, err)
			return
		}
		tell(w, keys)
	})
	mux.HandleFunc("POST /v1/queue/release", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		all, _ := strconv.ParseBool(q.Get("all"))
		discard, _ := strconv.ParseBool(q.Get("discard"))
		if !all && !q.Has("key") {
			refuse(w, broker.Errorf(broker.CodeInvalidRequest, "release", "queue "+q.Get("name"), "it needs key=, or all=true"))
			return
		}
		released, err := n.Engine.ReleaseKey(r.Context(), q.Get("vhost"), q.Get("name"), q.Get("key"), all, discard)
		if err != nil {
			refuse(w, err)
			return
		}
		tell(w, map[string]int{"released": released})
	})
}

// refuse answers with an error: 404 for what is not there, 400 for what cannot be asked, else 503.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	switch broker.CodeOf(err) {
	case broker.CodeUnknownQueue:
		status = http.StatusNotFound
	case broker.CodeInvalidRequest:
		status = http.StatusBadRequest
	case broker.CodeTransactionFenced, broker.CodeProducerFenced, broker.CodeInvalidTransactionState, broker.CodeUnknownTransactionalID:
		status = http.StatusConflict
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}
