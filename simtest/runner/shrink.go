package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Shrinker makes the plan of a failing world small while the same anomaly stays.
type Shrinker struct {
	Binary  *Binary
	Seed    uint64
	Anomaly string // that must stay
	Tries   int    // worlds at most; TriesMax when 0
	Say     func(format string, args ...any)
	Bounds

	tried int
	dir   string
}

// errEnough ends a search whose tries are used up.
var errEnough = errors.New("no tries left")

// Shrink returns a plan that is no longer than the given one and has the anomaly:
// faults are left out, and settings, which sets them to their least values; what is left
// is made shorter, until nothing more can go or the tries are used up.
func (s *Shrinker) Shrink(ctx context.Context, plan string) (string, error) {
	var err error
	if s.dir, err = os.MkdirTemp("", "tallymq-shrink-"); err != nil {
		return "", fmt.Errorf("shrink: %w", err)
	}
	defer os.RemoveAll(s.dir)
	lines := strings.Split(strings.TrimSpace(plan), "\n")
	if ok, err := s.stays(ctx, lines); err != nil || !ok {
		return "", errors.Join(err, fmt.Errorf("shrink: the plan as it is does not show %q again", s.Anomaly))
	}
	for {
		before := slices.Clone(lines)
		for _, pass := range []func(context.Context, []string) ([]string, error){s.leaveOut, s.shorten} {
			if lines, err = pass(ctx, lines); err != nil {
				break
			}
		}
		if errors.Is(err, errEnough) || err == nil && slices.Equal(before, lines) {
			return strings.Join(lines, "\n") + "\n", nil
		}
		if err != nil {
			return "", err
		}
	}
}

// stays says whether a plan has the anomaly.
func (s *Shrinker) stays(ctx context.Context, lines []string) (bool, error) {
	most := s.Tries
	if most == 0 {
		most = TriesMax
	}
	if s.tried == most {
		return false, errEnough
	}
	s.tried++
	file := filepath.Join(s.dir, "plan")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return false, fmt.Errorf("shrink: %w", err)
	}
	o, err := Job{Binary: s.Binary, Seed: s.Seed, Plan: file, Bounds: s.Bounds}.Run(ctx)
	if err != nil {
		return false, err
	}
	for _, v := range o.Violations {
		if v.Anomaly == s.Anomaly {
			return true, nil
		}
	}
	return false, nil
}

// leaveOut removes lines: halves, quarters, and so on down to single ones.
func (s *Shrinker) leaveOut(ctx context.Context, lines []string) ([]string, error) {
	droppable := func() (at []int) {
		for i, l := range lines {
			if isFault(l) || isSetting(l) {
				at = append(at, i)
			}
		}
		return at
	}
	for size := len(droppable()); size > 0; size /= 2 {
		for from := 0; from < len(droppable()); {
			at := droppable()
			part := at[from:min(from+size, len(at))]
			var rest []string
			for i, l := range lines {
				if !slices.Contains(part, i) {
					rest = append(rest, l)
				}
			}
			ok, err := s.stays(ctx, rest)
			if err != nil {
				return lines, err
			}
			if ok {
				lines = rest
				s.say("%d faults and settings left", len(droppable()))
			} else {
				from += size
			}
		}
	}
	return lines, nil
}

// shorten halves one length after the other, as far as the anomaly stays.
func (s *Shrinker) shorten(ctx context.Context, lines []string) ([]string, error) {
	for i := range lines {
		for {
			less, ok := shorter(lines[i])
			if !ok {
				break
			}
			try := slices.Clone(lines)
			try[i] = less
			stays, err := s.stays(ctx, try)
			if err != nil {
				return lines, err
			}
			if !stays {
				break
			}
			lines = try
			s.say("%s", less)
		}
	}
	return lines, nil
}

func (s *Shrinker) say(format string, args ...any) {
	if s.Say != nil {
		s.Say("%d tried: "+format, append([]any{s.tried}, args...)...)
	}
}

// isFault says whether a plan's line is TIME VERB WHERE for LENGTH amount NUMBER.
func isFault(line string) bool {
	w := strings.Fields(line)
	return len(w) == 7 && w[3] == "for"
}

// isSetting says whether a plan's line sets something else than which world it is.
func isSetting(line string) bool {
	w := strings.Fields(line)
	return len(w) == 3 && w[0] == "set" && w[1] != "seed" && w[1] != "world"
}

// shorter is the line with its length halved: a fault's, or the time until quiet.
func shorter(line string) (string, bool) {
	w := strings.Fields(line)
	at := 4
	if len(w) == 2 && w[1] == "quiet" {
		at = 0
	} else if !isFault(line) {
		return "", false
	}
	d, err := time.ParseDuration(w[at])
	if err != nil || d < 2*leastLength {
		return "", false
	}
	w[at] = (d / 2).Round(time.Millisecond).String()
	return strings.Join(w, " "), true
}
