package lint_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/internal/lint"
)

// TestModule judges the code base itself.
func TestModule(t *testing.T) {
	m, err := lint.Parse(sources(t, root(t)))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Packages) < 3 {
		t.Fatalf("only %d packages found; the module was not walked", len(m.Packages))
	}
	for _, f := range lint.Check(m) {
		t.Error(f)
	}
}

// root is the folder of go.mod, found by walking up.
func root(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above this test")
		}
		dir = up
	}
}

// sources reads the module's Go files; testdata, hidden folders and modules of their own are not part of it.
func sources(t *testing.T, root string) map[string]string {
	all := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == root {
				return nil
			}
			base := d.Name()
			_, statErr := os.Stat(filepath.Join(name, "go.mod"))
			if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || statErr == nil {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		all[filepath.ToSlash(relative)] = string(text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
