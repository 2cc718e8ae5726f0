package mutants

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// FilePatch changes one file.
type FilePatch struct {
	Path  string // from the module's root, with slashes
	hunks []hunk
}

// hunk replaces some lines, context included, by others. Line numbers are not kept:
// a hunk fits where its old text is, and that must be one place.
type hunk struct{ before, after string }

var hunkHead = regexp.MustCompile(`^@@ -\d+(,\d+)? \+\d+(,\d+)? @@`)

// parseDiff reads a unified diff as git writes it.
func parseDiff(diff string) ([]FilePatch, error) {
	var all []FilePatch
	var at *hunk
	for line := range strings.Lines(diff) {
		switch {
		case strings.HasPrefix(line, "diff --git "), strings.HasPrefix(line, "index "), strings.HasPrefix(line, "--- "):
			at = nil
		case strings.HasPrefix(line, "+++ "):
			name, ok := strings.CutPrefix(strings.TrimSpace(line[4:]), "b/")
			if !ok || path.Clean(name) != name || strings.HasPrefix(name, "..") || strings.HasSuffix(name, "_test.go") || !strings.HasSuffix(name, ".go") {
				return nil, fmt.Errorf("%q is no production file b/PATH.go", strings.TrimSpace(line))
			}
			all = append(all, FilePatch{Path: name})
		case hunkHead.MatchString(line):
			if len(all) == 0 {
				return nil, errors.New("a hunk before the first file")
			}
			p := &all[len(all)-1]
			p.hunks = append(p.hunks, hunk{})
			at = &p.hunks[len(p.hunks)-1]
		case at == nil:
			return nil, fmt.Errorf("diff line %q is outside of a hunk", line)
		default:
			if err := at.add(line); err != nil {
				return nil, err
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the diff changes nothing")
	}
	for _, p := range all {
		if len(p.hunks) == 0 {
			return nil, fmt.Errorf("no hunk for %s", p.Path)
		}
	}
	return all, nil
}

func (h *hunk) add(line string) error {
	switch line[0] {
	case ' ':
		h.before += line[1:]
		h.after += line[1:]
	case '\n': // an empty line of context whose blank an editor removed
		h.before += line
		h.after += line
	case '-':
		h.before += line[1:]
	case '+':
		h.after += line[1:]
	default:
		return fmt.Errorf("diff line %q is neither context nor change", line)
	}
	return nil
}

// Apply returns the file's text with the mistake in it.
func (p *FilePatch) Apply(text string) (string, error) {
	for i, h := range p.hunks {
		at := places(text, h.before)
		if len(at) != 1 {
			return "", fmt.Errorf("%s: hunk %d fits in %d places, want 1: the code has changed, write the mutant anew:\n%s", p.Path, i+1, len(at), h.before)
		}
		text = text[:at[0]] + h.after + text[at[0]+len(h.before):]
	}
	return text, nil
}

// places are where whole lines stand in a text; they may overlap.
func places(text, lines string) (at []int) {
	for i := 0; ; {
		if strings.HasPrefix(text[i:], lines) {
			at = append(at, i)
		}
		n := strings.IndexByte(text[i:], '\n')
		if n < 0 {
			return at
		}
		i += n + 1
	}
}
