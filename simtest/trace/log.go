package trace

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"sync"
	"time"
)

// Kinds of events.
const (
	Net    = "net"
	Disk   = "disk"
	Client = "client"
	Fault  = "fault"
	World  = "world"
	Node   = "node"
)

// tailEvents is how many of the last events are kept for a report.
const tailEvents = 256

// Log records events. The zero value is not usable; see New.
type Log struct {
	mu       sync.Mutex
	start    time.Time
	hash     uint64
	count    uint64
	kinds    map[string]uint64
	tail     [tailEvents]Event
	story    [tailEvents]Event // without the frames and writes
	told     uint64
	full     *bufio.Writer
	schedule func() (steps, hash uint64)
}

// An Event is one thing that happened in the world.
type Event struct {
	Number uint64
	At     time.Duration // since the world began
	Kind   string
	Where  string
	What   string
	Steps  uint64 // turns taken by goroutines before it
	Order  uint64 // hash over these turns
}

// New returns a log whose time starts now. When full is not nil every event is
// also written to it. schedule, which may be nil, tells the scheduler's state.
func New(full io.Writer, schedule func() (steps, hash uint64)) *Log {
	l := &Log{start: time.Now(), hash: fnvOffset, kinds: map[string]uint64{}, schedule: schedule}
	if full != nil {
		l.full = bufio.NewWriterSize(full, 1<<20)
	}
	return l
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// Event records what happened, printed as by Sprintf.
func (l *Log) Event(kind, where, format string, args ...any) {
	what := format
	if len(args) > 0 {
		what = fmt.Sprintf(format, args...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := Event{Number: l.count, At: time.Since(l.start), Kind: kind, Where: where, What: what}
	if l.schedule != nil {
		e.Steps, e.Order = l.schedule()
	}
	l.tail[l.count%tailEvents] = e
	if kind != Net && kind != Disk {
		l.story[l.told%tailEvents] = e
		l.told++
	}
	l.count++
	l.kinds[kind]++
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], uint64(e.At))
	binary.LittleEndian.PutUint64(b[8:], e.Steps)
	binary.LittleEndian.PutUint64(b[16:], e.Order)
	l.mix(string(b[:]))
	l.mix(kind)
	l.mix(where)
	l.mix(what)
	if l.full != nil {
		fmt.Fprintln(l.full, e)
	}
}

// mix adds a string and its end to the hash.
func (l *Log) mix(s string) {
	h := l.hash
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	l.hash = (h ^ uint64(len(s))) * fnvPrime
}

// Hash returns the hash over all events so far.
func (l *Log) Hash() uint64 { l.mu.Lock(); defer l.mu.Unlock(); return l.hash }

// Count returns how many events there were.
func (l *Log) Count() uint64 { l.mu.Lock(); defer l.mu.Unlock(); return l.count }

// CountOf returns how many events of a kind there were.
func (l *Log) CountOf(kind string) uint64 { l.mu.Lock(); defer l.mu.Unlock(); return l.kinds[kind] }

// Now returns the simulated time since the world began.
func (l *Log) Now() time.Duration { return time.Since(l.start) }

// Tail returns the last events, oldest first.
func (l *Log) Tail() []Event { l.mu.Lock(); defer l.mu.Unlock(); return last(&l.tail, l.count) }

// Story returns the last events that are neither frames of the network nor
// operations of a disk, oldest first: what clients saw, faults, processes.
func (l *Log) Story() []Event { l.mu.Lock(); defer l.mu.Unlock(); return last(&l.story, l.told) }

// last lists the ring's events of which there were count.
func last(ring *[tailEvents]Event, count uint64) []Event {
	n := min(count, tailEvents)
	events := make([]Event, 0, n)
	for i := count - n; i < count; i++ {
		events = append(events, ring[i%tailEvents])
	}
	return events
}

// Flush writes what is buffered of the full trace.
func (l *Log) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full == nil {
		return nil
	}
	return l.full.Flush()
}

// String is the line of the event.
func (e Event) String() string {
	return fmt.Sprintf("%6d  %-12v %-6s %-10s %s  schedule %d:%x", e.Number, e.At, e.Kind, e.Where, e.What, e.Steps, e.Order)
}

// Sum is a short hash of bytes, for events that concern some.
func Sum(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}
