package quota

import (
	"fmt"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// Limits of this package, each with its reason.
const (
	// Burst is how much of its rate an idle client saves up. (Kafka's windows let ten seconds' worth pass at once.)
	Burst = time.Second
	// RestMax bounds one rest, below the 30 s after which clients take a silent broker for dead. A request that is larger than a quota
	// lets pass in that time exceeds it.
	RestMax = 25 * time.Second
	// BucketsMax bounds the clients that are told apart (some 200 bytes and two names each).
	BucketsMax = 10_000
	// nameBytesMax: longer names are not told apart. No quota can name one.
	nameBytesMax = 255
)

// Meter charges clients what they move. The zero value is ready.
type Meter struct {
	mu      sync.Mutex
	table   *broker.QuotaTable // that index is of
	index   index
	buckets map[shared]*bucket
	swept   time.Time
}

// shared is what a bucket is of.
type shared struct {
	key broker.QuotaKey
	of  broker.QuotaEntity
}

// bucket holds the bytes that may be moved at once; below 0 it is in debt.
type bucket struct {
	rate   int64
	tokens float64
	at     time.Time // when tokens were counted
}

// Charge notes that a client moves bytes now, and says how long it has to rest after that: 0 while it is within its quota.
func (m *Meter) Charge(t *broker.QuotaTable, k broker.QuotaKey, user, clientID string, bytes int64, now time.Time) time.Duration {
	if len(t.List) == 0 {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.bucket(t, k, user, clientID, now)
	if b == nil {
		return 0
	}
	b.tokens = max(b.tokens-float64(bytes), -b.of(RestMax))
	return b.rest()
}

// Ask says how long a client has to rest before it may move anything, and, when it need not, how many bytes are within its
// quota now: at least 1; −1 where there is none.
func (m *Meter) Ask(t *broker.QuotaTable, k broker.QuotaKey, user, clientID string, now time.Time) (rest time.Duration, bytes int64) {
	if len(t.List) == 0 {
		return 0, -1
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.bucket(t, k, user, clientID, now)
	if b == nil {
		return 0, -1
	}
	return b.rest(), max(int64(b.tokens), 1)
}

// bucket finds a client's bucket, filled up to now; nil: no quota counts for it.
func (m *Meter) bucket(t *broker.QuotaTable, k broker.QuotaKey, user, clientID string, now time.Time) *bucket {
	if m.table != t {
		m.table, m.index = t, newIndex(t)
	}
	q, ok := m.index.find(k, user, clientID)
	if !ok {
		return nil
	}
	s := shared{k, q.shared}
	b := m.buckets[s]
	if b == nil && (len(q.shared.User.Name) > nameBytesMax || len(q.shared.ClientID.Name) > nameBytesMax || !m.room(now)) {
		s.of = q.quota // one bucket for all who are not told apart
		b = m.buckets[s]
	}
	if b == nil {
		b = &bucket{rate: q.rate, at: now}
		b.tokens = b.of(Burst)
		if m.buckets == nil {
			m.buckets = map[shared]*bucket{}
		}
		m.buckets[s] = b
	}
	b.fill(q.rate, now)
	return b
}

// room says that there is room for one more bucket. Full ones say no more than new ones would, and go.
func (m *Meter) room(now time.Time) bool {
	if len(m.buckets) < BucketsMax {
		return true
	}
	if now.Sub(m.swept) < Burst {
		return false
	}
	m.swept = now
	for s, b := range m.buckets { //lint:sorted each is judged by itself
		if b.fill(b.rate, now); b.tokens >= b.of(Burst) {
			delete(m.buckets, s)
		}
	}
	return len(m.buckets) < BucketsMax
}

// of is what the bucket's rate lets pass in a time.
func (b *bucket) of(d time.Duration) float64 { return float64(b.rate) * d.Seconds() }

// fill adds what the rate gave since it was last counted.
func (b *bucket) fill(rate int64, now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.tokens += b.of(d)
		b.at = now
	}
	b.rate = rate
	b.tokens = max(min(b.tokens, b.of(Burst)), -b.of(RestMax))
}

// rest is how long it takes until the bucket is out of debt.
func (b *bucket) rest() time.Duration {
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / float64(b.rate) * float64(time.Second))
}

// String is the state on one line.
func (m *Meter) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("%d quotas, %d buckets", len(m.index), len(m.buckets))
}
