package kafka

import (
	"regexp"
	"slices"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListTransactions (key 66): the transactional ids that this node coordinates.
//
// Behaviour
//   - Filters: states (one that Kafka does not know is named in the answer), producer ids, how long the transaction is open, and
//     a pattern in RE2 syntax that the whole id must match (INVALID_REGULAR_EXPRESSION).
//
// Versions
//   - 0 flexible; 1 duration (KIP-994); 2 pattern (KIP-1152).
func listTransactionsLayout() *layout { return parseLayout("( s ) ( l ) 1+:l 2+:n") }

// transactionStates are Kafka's names. Those that are not the broker's are known, and nothing is in them.
var transactionStates = []string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

func listTransactions(r *request, q *kmsg.ListTransactionsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ListTransactionsResponse)
	for _, s := range q.StateFilters {
		if !slices.Contains(transactionStates, s) {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, s)
		}
	}
	var pattern *regexp.Regexp
	if p := deref(q.TransactionalIDPattern); p != "" {
		var err error
		if pattern, err = regexp.Compile("^(?:" + p + ")$"); err != nil {
			resp.ErrorCode = errInvalidRegularExpression
			return resp
		}
	}
	all, err := r.server.broker.ListTransactions(r.ctx)
	if err != nil {
		resp.ErrorCode = txnErrors.code(err)
		return resp
	}
	for i := range all {
		if d := &all[i]; isListed(q, d, pattern) {
			resp.TransactionStates = append(resp.TransactionStates, kmsg.ListTransactionsResponseTransactionState{
				TransactionalID: d.ID, ProducerID: int64(d.Producer), TransactionState: string(d.State),
			})
		}
	}
	return resp
}

func isListed(q *kmsg.ListTransactionsRequest, d *broker.TransactionDescription, pattern *regexp.Regexp) bool {
	switch {
	case len(q.StateFilters) > 0 && !slices.Contains(q.StateFilters, string(d.State)):
		return false
	case len(q.ProducerIDFilters) > 0 && !slices.Contains(q.ProducerIDFilters, int64(d.Producer)):
		return false
	case q.DurationFilterMillis >= 0 && (d.Age < 0 || d.Age < time.Duration(q.DurationFilterMillis)*time.Millisecond):
		return false
	}
	return pattern == nil || pattern.MatchString(d.ID)
}
