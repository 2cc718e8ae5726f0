package trace

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Parse reads the line that Event.String wrote.
func Parse(line string) (Event, error) {
	e := Event{}
	rest := line
	next := func() (word string) {
		rest = strings.TrimLeft(rest, " ")
		word, rest, _ = strings.Cut(rest, " ")
		return word
	}
	fail := func(err error) (Event, error) { return Event{}, fmt.Errorf("trace line %q: %w", line, err) }
	var err error
	if e.Number, err = strconv.ParseUint(next(), 10, 64); err != nil {
		return fail(err)
	}
	if e.At, err = time.ParseDuration(next()); err != nil {
		return fail(err)
	}
	e.Kind, e.Where = next(), next()
	at := strings.LastIndex(rest, "  schedule ")
	if at < 0 {
		return fail(fmt.Errorf("no schedule"))
	}
	e.What = strings.TrimLeft(rest[:at], " ")
	if _, err := fmt.Sscanf(rest[at:], "  schedule %d:%x", &e.Steps, &e.Order); err != nil {
		return fail(err)
	}
	return e, nil
}

// ReadAll reads a written trace whole, as its process left it: a line that was not
// finished when the process died is left out.
func ReadAll(in io.Reader) ([]Event, error) {
	var events []Event
	s := scanner(in)
	for s.Scan() {
		e, err := Parse(s.Text())
		if err != nil {
			if s.Scan() {
				return nil, err
			}
			break
		}
		events = append(events, e)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	return events, nil
}
