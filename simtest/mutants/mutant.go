package mutants

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

//go:embed testdata/*.patch
var files embed.FS

// A Mutant is one planted bug.
type Mutant struct {
	Name      string
	Breaks    string   // what is wrong, in one sentence
	Promise   string   // what that violates
	Anomalies []string // what may be found; the first is the most direct
	World     World    // that finds it
	Seeds     int      // within which it must be found
	Files     []FilePatch
}

// A World is a test of one package that keeps simtest's contract.
type World struct {
	Package string // as the go command takes it from the module's root: ./simtest/cluster
	Test    string
}

// String is the package and the test.
func (w World) String() string { return w.Package + " " + w.Test }

// All returns every mutant, by name.
func All() ([]Mutant, error) {
	names, err := fs.Glob(files, "testdata/*.patch")
	if err != nil {
		return nil, err
	}
	var all []Mutant
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m, err := Parse(strings.TrimSuffix(path.Base(name), ".patch"), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// Parse reads a mutant: lines "Key: value" up to the first empty one, then a
// unified diff. The keys are Breaks, Promise, Anomaly (comma-separated), World
// (package and test) and, if it is not SeedsMax, Seeds.
func Parse(name, text string) (Mutant, error) {
	m := Mutant{Name: name, Seeds: SeedsMax}
	fail := func(err error) (Mutant, error) { return Mutant{}, fmt.Errorf("mutant %s: %w", name, err) }
	if len(text) > patchBytesMax {
		return fail(fmt.Errorf("%d bytes; a mutant is one mistake of at most %d", len(text), patchBytesMax))
	}
	head, diff, ok := strings.Cut(text, "\n\n")
	if !ok {
		return fail(errors.New("no empty line between header and diff"))
	}
	for line := range strings.Lines(head) {
		if err := m.header(strings.TrimSuffix(line, "\n")); err != nil {
			return fail(err)
		}
	}
	if m.Breaks == "" || m.Promise == "" || len(m.Anomalies) == 0 || m.World.Test == "" {
		return fail(errors.New("the header must have Breaks, Promise, Anomaly and World"))
	}
	var err error
	if m.Files, err = parseDiff(diff); err != nil {
		return fail(err)
	}
	return m, nil
}

func (m *Mutant) header(line string) error {
	key, value, ok := strings.Cut(line, ": ")
	if !ok {
		return fmt.Errorf("header line %q is not \"Key: value\"", line)
	}
	value = strings.TrimSpace(value)
	switch key {
	case "Breaks":
		m.Breaks = value
	case "Promise":
		m.Promise = value
	case "Anomaly":
		for a := range strings.SplitSeq(value, ",") {
			m.Anomalies = append(m.Anomalies, strings.TrimSpace(a))
		}
	case "World":
		m.World.Package, m.World.Test, ok = strings.Cut(value, " ")
		if !ok {
			return fmt.Errorf("header World %q is not a package and a test", value)
		}
	case "Seeds":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return fmt.Errorf("header Seeds %q is no number above 0", value)
		}
		m.Seeds = n
	default:
		return fmt.Errorf("unknown header %q", key)
	}
	return nil
}
