package trace

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// lineBytesMax bounds a line of a written trace.
const lineBytesMax = 1 << 20

// Diff reads two written traces and describes the first event that differs, with
// up to context events before it and after it on both sides. It returns "" when
// the traces are equal.
func Diff(a, b io.Reader, context int) (string, error) {
	as, bs := scanner(a), scanner(b)
	var before []string
	for number := 0; ; number++ {
		aok, bok := as.Scan(), bs.Scan()
		if err := firstError(as.Err(), bs.Err()); err != nil {
			return "", fmt.Errorf("read trace: %w", err)
		}
		if !aok && !bok {
			return "", nil
		}
		if aok && bok && as.Text() == bs.Text() {
			before = append(before, as.Text())
			if len(before) > context {
				before = before[1:]
			}
			continue
		}
		var out strings.Builder
		fmt.Fprintf(&out, "the runs differ first at event %d\n", number)
		for _, line := range before {
			fmt.Fprintf(&out, "  both    %s\n", line)
		}
		side(&out, "first ", as, aok, context)
		side(&out, "second", bs, bok, context)
		return out.String(), nil
	}
}

// side prints the event that differs and those that follow it.
func side(out *strings.Builder, name string, s *bufio.Scanner, ok bool, context int) {
	if !ok {
		fmt.Fprintf(out, "> %s  (ended)\n", name)
		return
	}
	fmt.Fprintf(out, "> %s  %s\n", name, s.Text())
	for i := 0; i < context && s.Scan(); i++ {
		fmt.Fprintf(out, "  %s  %s\n", name, s.Text())
	}
}

func scanner(r io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 1<<16), lineBytesMax)
	return s
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
