package quota

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/broker"
)

var start = time.Unix(1_000_000, 0)

func table(qs ...broker.Quota) *broker.QuotaTable { return &broker.QuotaTable{List: qs} }

func of(user, client broker.QuotaName, producer, consumer int64) broker.Quota {
	return broker.Quota{Entity: broker.QuotaEntity{User: user, ClientID: client}, ProducerBytes: producer, ConsumerBytes: consumer}
}

// Kafka's order, from the narrowest: each quota counts once the narrower ones are gone, and is shared as Kafka shares it.
func TestPrecedence(t *testing.T) {
	all := []broker.Quota{
		of(named("u"), named("c"), 1, 1), of(named("u"), other, 2, 2), of(named("u"), broker.QuotaName{}, 3, 3), of(other, named("c"), 4, 4),
		of(other, other, 5, 5), of(other, broker.QuotaName{}, 6, 6), of(broker.QuotaName{}, named("c"), 7, 7), of(broker.QuotaName{}, other, 8, 8),
	}
	both := broker.QuotaEntity{User: named("u"), ClientID: named("c")}
	ofUser, ofClient := broker.QuotaEntity{User: named("u")}, broker.QuotaEntity{ClientID: named("c")}
	shared := []broker.QuotaEntity{both, both, ofUser, both, both, ofUser, ofClient, ofClient}
	for i := range all {
		m, ok := newIndex(table(all[i:]...)).find(broker.QuotaConsumerBytes, "u", "c")
		if !ok || m.rate != int64(i+1) || m.shared != shared[i] {
			t.Errorf("without the first %d: %+v, %v", i, m, ok)
		}
		if i == 0 {
			all[i].ConsumerBytes = 0 // a quota of the other key only is none
			if m, _ := newIndex(table(all...)).find(broker.QuotaConsumerBytes, "u", "c"); m.rate != 2 {
				t.Errorf("a quota without the key counts: %+v", m)
			}
		}
	}
	if _, ok := newIndex(table(of(named("u"), broker.QuotaName{}, 1, 1))).find(broker.QuotaProducerBytes, "v", "c"); ok {
		t.Error("another user's quota counts")
	}
}

// Whatever clients of one bucket do, they move no more than promised over the time they are allowed to.
func TestRateIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Int64Range(1, 1<<30).Draw(t, "rate")
		tab := table(of(named("u"), broker.QuotaName{}, rate, 0))
		var m Meter
		now, moved, largest := start, int64(0), int64(0)
		until := start // nobody moves anything before
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "idle")))
			if now.Before(until) {
				now = until
			}
			n := rapid.Int64Range(0, 20*rate).Draw(t, "bytes") // within RestMax
			moved, largest = moved+n, max(largest, n)
			rest := m.Charge(tab, broker.QuotaProducerBytes, "u", fmt.Sprint(n%3), n, now)
			if rest > RestMax {
				t.Fatalf("rest of %v", rest)
			}
			until = now.Add(rest)
			if d := until.Sub(start) + Burst + time.Millisecond; float64(moved) > float64(rate)*d.Seconds()+1 {
				t.Fatalf("%d bytes in %v at %d bytes a second", moved, d, rate)
			}
		}
	})
}

// A client that keeps to its quota never rests, and one without a quota does neither, nor is it remembered.
func TestWithinTheQuota(t *testing.T) {
	var m Meter
	tab := table(of(broker.QuotaName{}, named("c"), 0, 1000))
	for i := range 100 {
		now := start.Add(time.Duration(i) * time.Second)
		if rest := m.Charge(tab, broker.QuotaConsumerBytes, "u", "c", 1000, now); rest != 0 {
			t.Fatalf("rests %v", rest)
		}
		if rest := m.Charge(tab, broker.QuotaConsumerBytes, "u", fmt.Sprint(i), 1<<40, now); rest != 0 {
			t.Fatalf("without a quota: rests %v", rest)
		}
		if rest := m.Charge(tab, broker.QuotaProducerBytes, "u", "c", 1<<40, now); rest != 0 {
			t.Fatalf("without a quota for it: rests %v", rest)
		}
	}
	if len(m.buckets) != 1 {
		t.Error(&m)
	}
	if rest, n := m.Ask(tab, broker.QuotaConsumerBytes, "u", "c", start.Add(100*time.Second)); rest != 0 || n != 1000 {
		t.Errorf("asked: %v, %d", rest, n)
	}
	if rest, n := m.Ask(tab, broker.QuotaConsumerBytes, "u", "d", start); rest != 0 || n != -1 {
		t.Errorf("asked without a quota: %v, %d", rest, n)
	}
}

// A quota that is lowered counts at once, and a debt is paid at the new rate.
func TestChangedQuota(t *testing.T) {
	var m Meter
	high, low := table(of(named("u"), broker.QuotaName{}, 1_000_000, 0)), table(of(named("u"), broker.QuotaName{}, 1000, 0))
	charge := func(tab *broker.QuotaTable, n int64) time.Duration {
		return m.Charge(tab, broker.QuotaProducerBytes, "u", "c", n, start)
	}
	if rest := charge(high, 900_000); rest != 0 {
		t.Fatal(rest)
	}
	if rest := charge(low, 2000); rest != time.Second {
		t.Errorf("lowered: rests %v", rest)
	}
	if rest := charge(high, 0); rest != time.Millisecond {
		t.Errorf("raised: rests %v", rest)
	}
	if rest := charge(low, 1<<50); rest != RestMax {
		t.Errorf("a huge request: rests %v", rest)
	}
	if rest := charge(table(), 1<<50); rest != 0 {
		t.Errorf("without any quota: rests %v", rest)
	}
}

// Client ids without end cost bounded memory: past the bound they share, until others were idle for a while.
func TestBucketsAreBounded(t *testing.T) {
	var m Meter
	tab := table(of(broker.QuotaName{}, other, 1000, 0))
	charge := func(id string, n int64, now time.Time) time.Duration {
		return m.Charge(tab, broker.QuotaProducerBytes, "u", id, n, now)
	}
	for i := range BucketsMax {
		charge(fmt.Sprint(i), 1, start)
	}
	now := start.Add(time.Millisecond / 2)
	if charge("late", 1000, now) != 0 || charge("later", 1000, now) != time.Second {
		t.Error("who came too late does not share")
	}
	if n := len(m.buckets); n > BucketsMax+1 {
		t.Fatalf("%d buckets", n)
	}
	now = start.Add(10 * time.Second)
	charge("0", 5000, now)
	if charge("late", 1000, now) != 0 || charge("later", 1000, now) != 0 {
		t.Error("they share although there is room")
	}
	if len(m.buckets) != 3 || charge("0", 0, now) != 4*time.Second {
		t.Errorf("%v; client 0 rests %v", &m, charge("0", 0, now))
	}
	long := string(make([]byte, nameBytesMax+1))
	charge(long+"a", 1000, now)
	if charge(long+"b", 1000, now) != time.Second {
		t.Error("names that no quota can have are remembered")
	}
}
