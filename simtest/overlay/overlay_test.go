package overlay

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goroot is the root of the toolchain in use.
func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestWriteIsContentAddressed(t *testing.T) {
	dir := t.TempDir()
	first, err := Write(goroot(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Write(goroot(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(second)
	if err != nil {
		t.Fatal(err)
	}
	if first != second || !os.SameFile(before, after) {
		t.Fatalf("the second call wrote again: %s, %s", first, second)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("want one folder and no leavings, got %v, %v", entries, err)
	}
}

func TestEveryPatchIsExplained(t *testing.T) {
	for _, p := range Patches() {
		if p.Why == "" || p.Count < 1 || p.Find == "" || p.Find == p.Put {
			t.Errorf("%s: %q: a patch needs a reason, a count, a text and a change", p.File, p.Find)
		}
	}
}

// copyOf makes a toolchain root with only the files the patches read.
func copyOf(t *testing.T, version string) string {
	t.Helper()
	root := t.TempDir()
	put := func(name string, b []byte) {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("VERSION", []byte(version+"\ntime 2026\n"))
	for _, p := range patches {
		b, err := os.ReadFile(filepath.Join(goroot(t), "src", filepath.FromSlash(p.File)))
		if err != nil {
			t.Fatal(err)
		}
		put("src/"+p.File, b)
	}
	return root
}

func TestUnknownToolchainIsRefused(t *testing.T) {
	_, err := Write(copyOf(t, "go1.99.0"), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "go1.99.0") || !strings.Contains(err.Error(), Toolchain) {
		t.Fatalf("want a refusal that names both versions, got %v", err)
	}
}

// A text that is gone, or that occurs once more than expected, must not pass.
func TestChangedSourceIsRefused(t *testing.T) {
	for _, change := range []struct {
		name string
		edit func(string) string
	}{
		{"gone", func(s string) string { return strings.Replace(s, "cheaprand() | 1", "cheaprand() | 3", 1) }},
		{"twice", func(s string) string { return s + "\n// cheaprand() | 1\n" }},
	} {
		t.Run(change.name, func(t *testing.T) {
			root := copyOf(t, Toolchain)
			path := filepath.Join(root, "src", "runtime", "sema.go")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(change.edit(string(b))), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err = Write(root, t.TempDir())
			if err == nil || !strings.Contains(err.Error(), "runtime/sema.go") {
				t.Fatalf("want an error that names the file, got %v", err)
			}
		})
	}
}
