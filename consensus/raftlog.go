package consensus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/lni/dragonboat/v4/logger"
)

// dragonboat's loggers are one per package and process, so hosts of one process share the place where they write: the
// logger of the host started last.
var (
	raftLogOnce sync.Once
	raftLog     atomic.Pointer[slog.Logger]
)

func useRaftLog(l *slog.Logger) {
	raftLog.Store(l)
	raftLogOnce.Do(func() {
		logger.SetLoggerFactory(func(pkg string) logger.ILogger { return raftLogger{pkg: pkg} })
	})
}

// raftLogger hands dragonboat's words to slog. Its informational chatter is debug to us.
type raftLogger struct{ pkg string }

func (r raftLogger) SetLevel(logger.LogLevel) {}

func (r raftLogger) Debugf(string, ...any) {}

func (r raftLogger) Infof(format string, args ...any) { r.log(slog.LevelDebug, format, args) }

func (r raftLogger) Warningf(format string, args ...any) { r.log(slog.LevelInfo, format, args) }

func (r raftLogger) Errorf(format string, args ...any) { r.log(slog.LevelWarn, format, args) }

// Panicf panics: a logger that swallowed it let a replica go on with a broken state (dragonboat #249). With an error:
// NewNodeHost recovers from anything else in silence and returns neither a host nor an error.
func (r raftLogger) Panicf(format string, args ...any) {
	r.log(slog.LevelError, format, args)
	panic(fmt.Errorf("dragonboat "+r.pkg+": "+format, args...))
}

func (r raftLogger) log(level slog.Level, format string, args []any) {
	l := raftLog.Load()
	if l == nil || !l.Enabled(context.Background(), level) {
		return
	}
	l.Log(context.Background(), level, fmt.Sprintf(format, args...), "dragonboat", r.pkg)
}
