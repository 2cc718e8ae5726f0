package amqp

import (
	"log/slog"
	"sync"
	"time"
)

// complaints logs about bad peers, but not as often as they like.
type complaints struct {
	mu     sync.Mutex
	since  time.Time
	logged int
	hidden int
}

func (q *complaints) log(l *slog.Logger, text string, args ...any) {
	q.mu.Lock()
	now := time.Now()
	if now.Sub(q.since) > complaintsPeriod {
		if q.hidden > 0 {
			args = append(args, "hidden_lines_before", q.hidden)
		}
		q.since, q.logged, q.hidden = now, 0, 0
	}
	if q.logged >= complaintsMax {
		q.hidden++
		q.mu.Unlock()
		return
	}
	q.logged++
	q.mu.Unlock()
	l.Warn(text, args...)
}
