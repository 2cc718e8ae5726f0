package mutants

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tallymq/tallymq"

// root is the module's folder as seen from this test.
var root = filepath.Join("..", "..")

// TestEveryMutantFitsAndCompiles applies every patch to the sources as they are and
// type-checks the packages that it changes.
func TestEveryMutantFitsAndCompiles(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 25 {
		t.Errorf("%d mutants, at least 25 are promised", len(all))
	}
	changed := map[string]bool{}
	for _, m := range all {
		for _, p := range m.Files {
			changed[path.Dir(p.Path)] = true
		}
	}
	exports := exportsOf(t, slices.Sorted(maps.Keys(changed)))
	for _, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			patched := map[string]string{}
			for i := range m.Files {
				p := &m.Files[i]
				if patched[p.Path], err = p.read(root); err != nil {
					t.Fatal(err)
				}
			}
			for _, dir := range dirsOf(&m) {
				if err := typeCheck(dir, patched, exports); err != nil {
					t.Error(err)
				}
			}
			if _, err := os.Stat(filepath.Join(root, m.World.Package)); err != nil {
				t.Error(err)
			}
		})
	}
}

func dirsOf(m *Mutant) []string {
	dirs := map[string]bool{}
	for _, p := range m.Files {
		dirs[path.Dir(p.Path)] = true
	}
	return slices.Sorted(maps.Keys(dirs))
}

// exportsOf finds the compiled export data of everything that the folders import.
func exportsOf(t *testing.T, dirs []string) map[string]string {
	args := []string{"list", "-deps", "-export", "-f", "{{.ImportPath}} {{.Export}}"}
	for _, dir := range dirs {
		args = append(args, "./"+dir)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, problems.Bytes())
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if name, file, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			exports[name] = file
		}
	}
	return exports
}

// typeCheck compiles a package's sources, patched ones in place of their originals, as
// far as its types.
func typeCheck(dir string, patched, exports map[string]string) error {
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		return err
	}
	var files []*ast.File
	for _, name := range names {
		base := filepath.Base(name)
		if strings.HasSuffix(base, "_test.go") || strings.HasSuffix(base, "_other.go") {
			continue
		}
		var source any
		if text, ok := patched[path.Join(dir, base)]; ok {
			source = text
		}
		f, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(name string) (io.ReadCloser, error) {
		file := exports[name]
		if file == "" {
			return nil, fmt.Errorf("no export data of %s", name)
		}
		return os.Open(file)
	})}
	_, err = config.Check(module+"/"+dir, fset, files, nil)
	return err
}

const header = "Breaks: b.\nPromise: p.\nAnomaly: x, y\nWorld: ./simtest TestX\n\n"

const diff = `--- a/engine/x.go
+++ b/engine/x.go
@@ -1,3 +1,3 @@
 one
-two
+zwei
 three
`

func TestParse(t *testing.T) {
	m, err := Parse("x", header+diff)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(m.Breaks, m.Promise, m.Anomalies, m.World, m.Seeds); got != "b.p.[x y] ./simtest TestX 300" {
		t.Errorf("parsed %s", got)
	}
	for _, x := range []struct{ why, text string }{
		{"no empty line", "Breaks: b."},
		{"unknown header", "What: b.\n" + header + diff},
		{"must have", strings.Replace(header, "Promise: p.\n", "", 1) + diff},
		{"changes nothing", header},
		{"no production file", header + strings.ReplaceAll(diff, "x.go", "x_test.go")},
		{"no production file", header + strings.ReplaceAll(diff, "engine/", "../engine/")},
		{"no number above 0", "Seeds: 0\n" + header + diff},
		{"neither context nor change", header + diff + "?\n"},
	} {
		if _, err := Parse("x", x.text); err == nil || !strings.Contains(err.Error(), x.why) {
			t.Errorf("%q: %v", x.why, err)
		}
	}
}

// TestApplyFitsOnceOrFails: a patch never lands where nobody meant it to.
func TestApplyFitsOnceOrFails(t *testing.T) {
	m, err := Parse("x", header+diff)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ text, want string }{
		{"one\ntwo\nthree\n", "one\nzwei\nthree\n"},
		{"zero\n\none\ntwo\nthree\nfour\n", "zero\n\none\nzwei\nthree\nfour\n"}, // moved
		{"one\nTWO\nthree\n", ""},
		{"someone\ntwo\nthree\n", ""},
		{"one\ntwo\nthree\none\ntwo\nthree\n", ""},
	} {
		got, err := m.Files[0].Apply(x.text)
		if got != x.want || (err == nil) != (x.want != "") {
			t.Errorf("%q became %q: %v", x.text, got, err)
		}
	}
}

// TestOverlayKeepsTheBase: the simulator's own patches stay, the tree is not written.
func TestOverlayKeepsTheBase(t *testing.T) {
	tree, dir := t.TempDir(), t.TempDir()
	source := filepath.Join(tree, "engine", "x.go")
	base := filepath.Join(dir, "base.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(source), 0o755), os.WriteFile(source, []byte("one\ntwo\nthree\n"), 0o644),
		os.WriteFile(base, []byte(`{"Replace":{"/a":"/b"}}`), 0o644)); err != nil {
		t.Fatal(err)
	}
	m, err := Parse("x", header+diff)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := m.Overlay(tree, base, filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(merged)
	if err != nil || !strings.Contains(string(text), `"/a": "/b"`) || !strings.Contains(string(text), source) {
		t.Errorf("overlay %s: %v", text, err)
	}
	if b, err := os.ReadFile(source); err != nil || string(b) != "one\ntwo\nthree\n" {
		t.Errorf("the source is %q now: %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "x", "engine_x.go")); err != nil || string(b) != "one\nzwei\nthree\n" {
		t.Errorf("the copy is %q: %v", b, err)
	}
}

// TestFindings: what a process that failed said.
func TestFindings(t *testing.T) {
	for _, x := range []struct{ out, anomaly, text string }{
		{"    world.go:112: seed 3 at 41.2s: unseen in payments/1: \"p1-7\" is not there\n", "unseen", "payments/1: \"p1-7\" is not there"},
		{"    world.go:112: seed 3 at 1m41.2s: process n1 panicked: BUG: x\n", Failed, "process n1 panicked: BUG: x"},
		{"panic: all goroutines are asleep\n\ngoroutine 1", Crashed, "panic: all goroutines are asleep"},
		{"    kafka_test.go:151: nothing was acknowledged\n", Failed, "nothing was acknowledged"},
		{"", Crashed, "the process ended without a word"},
	} {
		if f := fromOutput(x.out); f.Anomaly != x.anomaly || f.Text != x.text {
			t.Errorf("%q: %+v", x.out, f)
		}
	}
	file := filepath.Join(t.TempDir(), "result.json")
	if _, ok := fromResult(file); ok {
		t.Error("a result was read where there is none")
	}
	if err := os.WriteFile(file, []byte(`{"world":"w","violations":[{"anomaly":"gap","where":"t/0","text":"a\nhole"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if f, ok := fromResult(file); !ok || f != (Finding{"gap", "t/0: a hole"}) {
		t.Errorf("%+v, %v", f, ok)
	}
}

func TestSummary(t *testing.T) {
	got := Summary([]Report{{Mutant: Mutant{Name: "a"}, Killed: true, Tried: 4}, {Mutant: Mutant{Name: "b"}, Tried: 300},
		{Mutant: Mutant{Name: "c"}, Killed: true, Tried: 1}, {Mutant: Mutant{Name: "d"}, Killed: true, Tried: 9}})
	if want := "3 of 4 planted bugs found; seeds until found: median 4, most 9; NOT found: b"; got != want {
		t.Errorf("%s", got)
	}
}

// TestTableKeepsTheOtherLines: a run of some mutants replaces their lines only, and what
// is read is what was written.
func TestTableKeepsTheOtherLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "MUTANTS.md")
	put := func(name string, killed bool, tried int) string {
		table, err := ReadTable(file)
		if err != nil {
			t.Fatal(err)
		}
		table.Put(Report{Mutant: Mutant{Name: name, Breaks: "It is wrong."}, Killed: killed, Tried: tried, Expected: true})
		table.Put(Report{Mutant: Mutant{Name: "no_such_mutant"}, Killed: true, Tried: 1})
		if err := table.Write(file); err != nil {
			t.Fatal(err)
		}
		return table.String()
	}
	put("dedup_off", false, 300)
	put("window_of_one", true, 15)
	text := put("dedup_off", true, 3)
	if !strings.Contains(text, "3 of 3 planted bugs found; seeds until found: median 3, most 15.") ||
		!strings.Contains(text, "| window_of_one | It is wrong. |") || strings.Contains(text, "survived") {
		t.Error(text)
	}
	again, err := ReadTable(file)
	if err != nil || strings.Contains(again.String(), "no_such_mutant") || !strings.Contains(again.String(), "2 of 2 planted bugs found") {
		t.Errorf("%v\n%v", err, again)
	}
}
