package engine

import (
	"sync/atomic"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/transaction"
)

// abortReason is why a transaction was aborted.
type abortReason uint8

const (
	abortedByProducer abortReason = iota
	abortedByInit
	abortedByTimeOut
	abortedByOperator
	abortedByMarkers
	abortReasons // how many there are
)

// Names are labels of the metric; texts are for the log.
var (
	abortNames = [abortReasons]string{"producer", "init", "timeout", "operator", "markers"}
	abortTexts = [abortReasons]string{"its producer asked for it", "a new producer of the id came while it was open", "it was open for longer than its time-out", "an operator asked for it",
		"markers were asked for by a tool"}
)

// ends counts how transactions ended that this node's coordinators decided.
type ends struct {
	committed atomic.Int64
	aborted   [abortReasons]atomic.Int64
}

func (n *ends) commit() { n.committed.Add(1) }

// count counts the end of a transaction that was this node's own.
func (n *ends) count(end transaction.End) {
	switch end {
	case transaction.EndedCommitted:
		n.committed.Add(1)
	case transaction.EndedAborted:
		n.aborted[abortedByProducer].Add(1)
	}
}

// aborted counts an abort and logs it: one line for each, and of a producer's own only for those who look closely. Producer and epoch
// are those in force afterwards, −1 if nobody told.
func (l *lead) aborted(name string, why abortReason, id broker.ProducerID, epoch broker.ProducerEpoch) {
	l.e.ends.aborted[why].Add(1)
	args := []any{"transactional_id", name, "shard", l.shard, "reason", abortTexts[why]}
	if id >= 0 {
		args = append(args, "producer", id, "epoch_now", epoch)
	}
	if why == abortedByProducer {
		l.e.log.Debug("transaction aborted", args...)
		return
	}
	l.e.log.Warn("transaction aborted", args...)
}

// TransactionFigures are about the transactional ids that this node coordinates. Of what was counted, only since the node started.
type TransactionFigures struct {
	Committed int64
	Aborted   map[string]int64 // by reason: producer, init, timeout, operator, markers
	Open      int
	Oldest    time.Duration // how long the oldest of them has been open
	Owed      int           // decisions that some participant has not acknowledged
}

func (n *ends) figures() TransactionFigures {
	f := TransactionFigures{Committed: n.committed.Load(), Aborted: map[string]int64{}}
	for i := range abortReasons {
		f.Aborted[abortNames[i]] = n.aborted[i].Load()
	}
	return f
}
