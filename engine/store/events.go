package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// events is what pebble tells of its background work. Pebble calls it while it holds its locks, so nothing here waits
// or calls back, but for one that nobody uses any more.
type events struct {
	mu sync.Mutex
	// progress is closed and replaced whenever a flush or compaction ended, well or not.
	progress chan struct{}
	// finished counts ended flushes: while it stands still, what is durable stands still.
	finished  uint64
	admission admission
	// failures in a row of flushes and compactions; above zero the next table waits retryBackoff.
	failures int
	// corrupt files already reported.
	corrupt map[string]bool
	// stuck is how many writes of the manifest wait for room.
	stuck int
	// fatal is set once.
	fatal error
	// fatalSet is closed when fatal is set.
	fatalSet chan struct{}
}

func (e *events) init() {
	e.progress = make(chan struct{})
	e.corrupt = make(map[string]bool)
	e.fatalSet = make(chan struct{})
}

// watch gives a channel that closes at the next end of a flush or compaction.
func (e *events) watch() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.progress
}

func (e *events) flushesFinished() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.finished
}

func (e *events) failing() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failures > 0
}

func (e *events) ended(flush, failed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if flush {
		e.finished++
	}
	if failed {
		e.failures++
	} else {
		e.failures = 0
	}
	close(e.progress)
	e.progress = make(chan struct{})
}

func (s *Store) listener() *pebble.EventListener {
	return &pebble.EventListener{
		FlushBegin: s.events.flushBegan,
		// Whether a flush failed is told by BackgroundError, which comes after FlushEnd and before the retry.
		FlushEnd:        s.events.flushEnded,
		CompactionEnd:   s.events.compactionEnded,
		BackgroundError: s.backgroundError,
		DataCorruption:  s.dataCorruption,
	}
}

func (s *Store) backgroundError(err error) {
	s.events.ended(false, true)
	s.report(s.classify(err))
	if s.fatalError() != nil && !s.opened.Load() {
		// While it opens, pebble tries a broken manifest again at once and for ever, without a call that the guard could
		// slow down. It holds its lock here, which nobody else has use for: Open has ended.
		time.Sleep(retryBackoff)
	}
}

func (s *Store) dataCorruption(i pebble.DataCorruptionInfo) {
	s.events.mu.Lock()
	known := s.events.corrupt[i.Path]
	s.events.corrupt[i.Path] = true
	s.events.mu.Unlock()
	if !known {
		s.report(&CorruptError{File: i.Path, Err: i.Details})
	}
}

func (s *Store) report(err error) {
	s.options.Logger.Error("store: background work failed", "dir", s.options.Dir, "error", err)
	if s.options.OnBackgroundError != nil {
		s.options.OnBackgroundError(err)
	}
}

// fail stops the store for good. Pebble goes on after its Fatalf returns, so from here on the file system refuses every
// change (guard.go) and every call of ours returns the error: what lies on the disk is what a power loss at this
// moment would leave, and nothing is called durable any more.
func (s *Store) fail(err error) {
	s.events.mu.Lock()
	first := s.events.fatal == nil
	if first {
		s.events.fatal = fmt.Errorf("%w: %w", ErrFatal, err)
		s.fatal.Store(&s.events.fatal)
		close(s.events.fatalSet)
	}
	s.events.mu.Unlock()
	if !first {
		return
	}
	s.options.Logger.Error("store: stopped for good", "dir", s.options.Dir, "error", err)
	select {
	case <-s.entry.closing:
		return // the owner is gone already, Close returns the error
	default:
	}
	if s.options.OnFatal == nil {
		panic(*s.fatal.Load())
	}
	s.options.OnFatal(*s.fatal.Load())
}

// fatalError is nil while the store lives.
func (s *Store) fatalError() error {
	if p := s.fatal.Load(); p != nil {
		return *p
	}
	return nil
}

// logger hands pebble's lines on. Its default would end the process by itself.
type logger struct{ s *Store }

func (l logger) Infof(format string, args ...any) {
	if log := l.s.options.Logger; log.Enabled(context.Background(), slog.LevelDebug) {
		log.Debug("pebble: " + fmt.Sprintf(format, args...))
	}
}

func (l logger) Errorf(format string, args ...any) {
	l.s.options.Logger.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf returns, and pebble goes on: it flushes again, and where there is no table to write (guard.Create would wait) it
// comes straight back here, since the manifest's writer answers with its first error without asking the file system.
// The second time and later it waits.
func (l logger) Fatalf(format string, args ...any) {
	again := l.s.fatalError() != nil
	l.s.fail(fmt.Errorf("pebble: "+format, args...))
	if again {
		(&guard{s: l.s}).wait()
	}
}
