package check

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// queueStory is a history without anomalies: a publisher fills "in", a mover takes each message in a transaction that puts
// one into "a" and one into "b", a worker removes some of "a".
func queueStory() *QueueHistory {
	s := func(n int) time.Duration { return time.Duration(n) * time.Second }
	h := &QueueHistory{}
	publish := func(at int, who string, n int, queue, value string, o Outcome, tx int) {
		h.Publishes = append(h.Publishes, Publish{Span: Span{s(at), s(at + 1)}, Publisher: who, Sequence: n, Queue: queue, Value: value, Outcome: o, Transaction: tx})
	}
	give := func(at int, who, queue, value string, again, final bool) {
		h.Deliveries = append(h.Deliveries, Delivery{At: s(at), Since: s(1), Consumer: who, Queue: queue, Value: value, Redelivered: again, Final: final})
		if final {
			h.Deliveries[len(h.Deliveries)-1].Since = s(90)
		}
	}
	remove := func(at int, queue, value string, tx int) {
		h.Removals = append(h.Removals, Removal{At: s(at), Queue: queue, Value: value, Transaction: tx})
	}
	for i, v := range []string{"1", "2", "3", "4", "5", "6"} {
		publish(i, "p", i, "in", v, OK, -1)
	}
	publish(7, "p", 6, "in", "7", Unknown, -1) // and never was
	for i, v := range []string{"1", "2", "3", "4"} {
		give(10+i, "m", "in", v, false, false)
	}
	transaction := func(at int, v string, o Outcome) {
		tx := len(h.Transactions)
		h.Transactions = append(h.Transactions, QueueTransaction{Span: Span{s(at), s(at + 1)}, Client: "m", Outcome: o})
		publish(at, "m", 2*tx, "a", v+"a", o, tx)
		publish(at, "m", 2*tx+1, "b", v+"b", o, tx)
		remove(at, "in", v, tx)
	}
	transaction(20, "1", OK)
	transaction(22, "2", Unknown) // it committed
	transaction(24, "3", Unknown) // it did not
	transaction(26, "4", Failed)
	give(30, "w", "a", "1a", false, false)
	give(31, "w", "a", "2a", false, false)
	remove(32, "a", "1a", -1)
	give(40, "x", "in", "3", true, false)
	// One key of a queue that keeps the order of keys: the first comes again, and again to another consumer.
	for i, v := range []string{"k1", "k2", "k3"} {
		publish(2*i, "p", 10+i, "keys", v, OK, -1)
		h.Publishes[len(h.Publishes)-1].Key = "k"
	}
	keyed := func(at int, who, value string, fence uint64, again, final bool) {
		give(at, who, "keys", value, again, final)
		h.Deliveries[len(h.Deliveries)-1].Fence = fence
	}
	keyed(50, "w", "k1", 4, false, false)
	keyed(54, "v", "k1", 7, true, false)
	remove(56, "keys", "k1", -1)
	keyed(57, "w", "k2", 8, false, false)
	remove(58, "keys", "k2", -1)
	keyed(120, "end", "k3", 9, false, true)
	for i, x := range [][2]string{{"a", "2a"}, {"b", "1b"}, {"b", "2b"}, {"in", "3"}, {"in", "4"}, {"in", "5"}, {"in", "6"}} {
		give(100+i, "end", x[0], x[1], x[1] == "2a" || x[1] == "3" || x[1] == "4", true)
	}
	return h
}

func TestQueuesFindsNothing(t *testing.T) {
	if vs := Queues(queueStory()); len(vs) > 0 {
		t.Fatalf("%v", vs)
	}
}

// Each anomaly is found in a history that has it, and names the message.
func TestQueuesFindsWhatIsWrong(t *testing.T) {
	delivery := func(h *QueueHistory, consumer, value string) int {
		return slices.IndexFunc(h.Deliveries, func(d Delivery) bool { return d.Consumer == consumer && d.Value == value })
	}
	forget := func(h *QueueHistory, consumer, value string) {
		i := delivery(h, consumer, value)
		h.Deliveries = slices.Delete(h.Deliveries, i, i+1)
	}
	for _, x := range []struct {
		anomaly, value string
		plant          func(h *QueueHistory)
	}{
		{LostMessage, "6", func(h *QueueHistory) { forget(h, "end", "6") }},
		{LostMessage, "1b", func(h *QueueHistory) { forget(h, "end", "1b") }}, // a transaction that committed
		{LostMessage, "3", func(h *QueueHistory) { forget(h, "end", "3") }},   // its transaction did not
		{PhantomMessage, "9", func(h *QueueHistory) { h.Deliveries[0].Value = "9" }},
		{PhantomMessage, "1", func(h *QueueHistory) { h.Publishes[0].Call = 11 * time.Second }},
		{AbortedMessage, "4a", func(h *QueueHistory) {
			h.Deliveries = append(h.Deliveries, Delivery{At: 50 * time.Second, Consumer: "w", Queue: "a", Value: "4a"})
		}},
		{UnmarkedAgain, "3", func(h *QueueHistory) { h.Deliveries[delivery(h, "x", "3")].Redelivered = false }},
		{MessageCameBack, "1", func(h *QueueHistory) {
			h.Deliveries = append(h.Deliveries, Delivery{At: 50 * time.Second, Since: 45 * time.Second, Consumer: "x", Queue: "in", Value: "1", Redelivered: true})
		}},
		{MessageCameBack, "2", func(h *QueueHistory) { // nobody was told that its transaction committed, but it did
			h.Deliveries = append(h.Deliveries, Delivery{At: 120 * time.Second, Since: 90 * time.Second, Consumer: "end", Queue: "in", Value: "2", Redelivered: true, Final: true})
		}},
		{SettledTwice, "1", func(h *QueueHistory) {
			h.Transactions = append(h.Transactions, QueueTransaction{Span: Span{60 * time.Second, 61 * time.Second}, Client: "m2", Outcome: OK})
			h.Removals = append(h.Removals, Removal{At: 60 * time.Second, Queue: "in", Value: "1", Transaction: len(h.Transactions) - 1})
		}},
		{DoubledMessage, "6", func(h *QueueHistory) {
			d := h.Deliveries[delivery(h, "end", "6")]
			d.Redelivered = true
			h.Deliveries = append(h.Deliveries, d)
		}},
		{OvertakenMessage, "2", func(h *QueueHistory) { h.Deliveries[0], h.Deliveries[1] = h.Deliveries[1], h.Deliveries[0] }},
		{LostMessage, "2a", func(h *QueueHistory) { // rejected, and nowhere
			h.Removals = append(h.Removals, Removal{At: 33 * time.Second, Queue: "a", Value: "2a", Transaction: -1, To: "dead"})
			forget(h, "end", "2a")
		}},
		{DoubledMessage, "2a", func(h *QueueHistory) { // rejected, and in both
			h.Removals = append(h.Removals, Removal{At: 33 * time.Second, Queue: "a", Value: "2a", Transaction: -1, To: "dead"})
			h.Publishes = append(h.Publishes, Publish{Span: Span{33 * time.Second, 34 * time.Second}, Publisher: "dead 2a", Queue: "dead", Value: "2a", Outcome: Unknown, Transaction: -1})
			h.Deliveries = append(h.Deliveries, Delivery{At: 110 * time.Second, Since: 90 * time.Second, Consumer: "end", Queue: "dead", Value: "2a", Final: true})
		}},
		{KeyOvertaken, "k1", func(h *QueueHistory) { h.Deliveries[delivery(h, "v", "k1")].Fence = 10 }},
		{KeyOvertaken, "k2", func(h *QueueHistory) { // it came back behind the next one
			h.Deliveries = append(h.Deliveries, Delivery{At: 130 * time.Second, Since: 90 * time.Second, Consumer: "end", Queue: "keys", Value: "k2", Redelivered: true, Fence: 11, Final: true})
		}},
		{KeyShared, "k2", func(h *QueueHistory) { h.Deliveries[delivery(h, "w", "k2")].At = 55 * time.Second }},
		{FenceTwice, "k2", func(h *QueueHistory) { h.Deliveries[delivery(h, "w", "k2")].Fence = 7 }},
		{TornCommit, "2a", func(h *QueueHistory) { forget(h, "end", "2b") }},
	} {
		h := queueStory()
		x.plant(h)
		vs := Queues(h)
		if !slices.ContainsFunc(vs, func(v Violation) bool { return v.Anomaly == x.anomaly && strings.Contains(v.Text, `"`+x.value+`"`) }) {
			t.Errorf("%s of %q: found %v", x.anomaly, x.value, vs)
		}
	}
}

// What reaches a client late was on its way before: it is no message that came back.
func TestALateDeliveryIsNone(t *testing.T) {
	h := queueStory()
	h.Deliveries = append(h.Deliveries, Delivery{At: 50 * time.Second, Since: 5 * time.Second, Consumer: "slow", Queue: "in", Value: "1", Redelivered: true})
	if vs := Queues(h); len(vs) > 0 {
		t.Fatalf("%v", vs)
	}
}
