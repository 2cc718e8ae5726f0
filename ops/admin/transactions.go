package admin

import (
	"net/http"
	"strconv"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/ops/node"
)

// transactionRoutes let an operator abort the open transaction of a producer. What there is to see Kafka's requests tell (ListTransactions,
// DescribeTransactions).
func transactionRoutes(mux *http.ServeMux, n *node.Node) {
	mux.HandleFunc("POST /v1/transaction/abort", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		producer, err1 := strconv.ParseInt(q.Get("producer"), 10, 64)
		epoch, err2 := strconv.ParseInt(q.Get("epoch"), 10, 16)
		if err1 != nil || err2 != nil || q.Get("id") == "" {
			refuse(w, broker.Errorf(broker.CodeInvalidRequest, "abort transaction", q.Get("id"), "it needs id=, producer= and epoch="))
			return
		}
		if err := n.Engine.AbortProducer(r.Context(), q.Get("id"), broker.ProducerID(producer), broker.ProducerEpoch(epoch)); err != nil {
			refuse(w, err)
			return
		}
		tell(w, map[string]string{"aborted": q.Get("id")})
	})
}
