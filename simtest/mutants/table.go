package mutants

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A Table is the document that says of every mutant how many seeds it took. A run of
// some mutants replaces their lines and keeps the others'.
type Table struct{ lines map[string]string }

// intro stands above the table.
const intro = `# Planted bugs

A checker that never caught a planted bug is not trusted. Each file of ` + "`simtest/mutants/testdata`" + ` plants one in the production code; this
table says which world of the simulator finds it, after how many seeds (from seed 1 on, each a world of its own), by which anomaly, and how
much real time those seeds took. A hunt first runs the same world without the bug, which must pass. ` + "`make sim-mutants`" + ` writes it, ` + "`make sim-mutants RUN=regexp`" + ` writes some of
its lines.
`

// ReadTable reads a document that Write wrote; one that is not there is empty. Lines of
// mutants that are no more are dropped.
func ReadTable(path string) (*Table, error) {
	t := &Table{lines: map[string]string{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := All()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(line, "|")
		if len(cells) < 7 {
			continue
		}
		name := strings.TrimSpace(cells[1])
		if slices.ContainsFunc(all, func(m Mutant) bool { return m.Name == name }) {
			t.lines[name] = strings.TrimSuffix(line, "\n")
		}
	}
	return t, nil
}

// Put replaces a mutant's line.
func (t *Table) Put(r Report) { t.lines[r.Name] = r.String() }

// String is the document.
func (t *Table) String() string {
	var b strings.Builder
	var taken []int
	var survived []string
	fmt.Fprintf(&b, "%s\n%s\n", intro, Head)
	for _, name := range slices.Sorted(maps.Keys(t.lines)) {
		fmt.Fprintln(&b, t.lines[name])
		n, err := strconv.Atoi(strings.TrimSpace(strings.Split(t.lines[name], "|")[4]))
		if err != nil {
			survived = append(survived, name)
			continue
		}
		taken = append(taken, n)
	}
	fmt.Fprintf(&b, "\n%s.\n", summarise(taken, survived))
	return b.String()
}

// Write writes the document.
func (t *Table) Write(path string) error { return os.WriteFile(path, []byte(t.String()), 0o644) }
