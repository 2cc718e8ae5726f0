package kafka

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kerr"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files of testdata")

func families() []*family {
	return []*family{produceErrors, readErrors, metadataErrors, topicErrors, producerErrors, memberErrors, lookErrors, commitErrors, offsetDeleteErrors, trimErrors, txnErrors, markerErrors}
}

// Every code has an error code that Kafka knows, in every family; the product is written down.
func TestErrorsAreMappedWhole(t *testing.T) {
	var b strings.Builder
	b.WriteString("# The error code of every refusal, by family of requests. Rewritten by: go test ./protocols/kafka -run Mapped -rewrite\n")
	for _, f := range families() {
		fmt.Fprintf(&b, "\n%s:\n", f.name)
		for _, c := range broker.Codes() {
			if _, ok := common[c]; !ok {
				t.Errorf("code %v is not mapped", c)
			}
			e := f.code(broker.Refuse(c, "", ""))
			ke, ok := kerr.ErrorForCode(e).(*kerr.Error)
			if !ok || kerr.TypedErrorForCode(e) == nil || ke.Code != e {
				t.Errorf("%s: %v is %d, which Kafka does not know", f.name, c, e)
				continue
			}
			fmt.Fprintf(&b, "  %-28v %4d %s\n", c, e, ke.Message)
		}
	}
	golden(t, "testdata/errors.txt", b.String())
}

// REQUEST_TIMED_OUT is the unknown outcome of a write and nothing else; what certainly was not done and may succeed
// later is an error that clients retry.
func TestErrorsTellTheTruth(t *testing.T) {
	for _, f := range families() {
		for _, c := range broker.Codes() {
			e := f.code(broker.Refuse(c, "", ""))
			if timedOut := e == errRequestTimedOut; timedOut != (f.writes && c == broker.CodeOutcomeUnknown) {
				t.Errorf("%s: %v is %d", f.name, c, e)
			}
			if e == errNone {
				t.Errorf("%s: %v is no error", f.name, c)
			}
			notThere := c == broker.CodeUnknownTopic || c == broker.CodeUnknownTopicID
			if c.Retriable() && !notThere && !kerr.IsRetriable(kerr.ErrorForCode(e)) && e != errThrottlingQuotaExceeded && e != errInvalidProducerEpoch &&
				c != broker.CodeStaleLeaderEpoch && e != errRebalanceInProgress && e != errConcurrentTransactions {
				t.Errorf("%s: %v may be retried, %d (%v) is not", f.name, c, e, kerr.ErrorForCode(e))
			}
		}
		foreign := errUnknownServer
		if f.writes {
			foreign = errRequestTimedOut
		}
		if f.code(nil) != errNone || f.code(context.DeadlineExceeded) != foreign {
			t.Errorf("%s: nil or a foreign error is mapped wrongly", f.name)
		}
	}
	// What Java's fetcher knows (FetchCollector.handleInitializeErrors); it throws on the rest.
	expected := map[int16]bool{6: true, 9: true, 56: true, 74: true, 78: true, 3: true, 100: true, 103: true, 1: true, 29: true, 75: true, -1: true}
	for _, c := range []broker.Code{
		broker.CodeInternal, broker.CodeInvalidRequest, broker.CodeUnsupported, broker.CodeUnauthorized, broker.CodeOutcomeUnknown, broker.CodeUnavailable,
		broker.CodeStorageFull, broker.CodeCorrupt, broker.CodeThrottled, broker.CodeShuttingDown, broker.CodeUnknownTopic, broker.CodeUnknownTopicID,
		broker.CodeNotLeader, broker.CodeStaleLeaderEpoch, broker.CodeUnknownLeaderEpoch, broker.CodeOffsetOutOfRange, broker.CodeCorruptBatch,
	} {
		if e := readErrors.code(broker.Refuse(c, "", "")); !expected[e] {
			t.Errorf("read: %v is %d, on which Java's consumer throws", c, e)
		}
	}
}

// golden compares with a file, or rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", name, got)
	}
}
