package overlay

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed sim.go.txt
var worldSource []byte

//go:embed address.go.txt
var addressSource []byte

//go:embed maps.go.txt
var mapsSource []byte

// added are the files that the overlay adds to packages of the standard library.
var added = map[string][]byte{
	"runtime/sim_world.go":         worldSource,
	"runtime/sim_address.go":       addressSource,
	"internal/runtime/maps/sim.go": mapsSource,
}

// Write writes the overlay for the toolchain at goroot below dir and returns
// the path of its overlay.json. The folder's name is a hash of its content: when
// it is there already nothing is written.
func Write(goroot, dir string) (overlayJSON string, err error) {
	version, err := toolchainVersion(goroot)
	if err != nil {
		return "", err
	}
	if version != Toolchain {
		return "", fmt.Errorf("overlay: the toolchain at %s is %s; the patches are proven on %s only (set GOTOOLCHAIN=%s)",
			goroot, version, Toolchain, Toolchain)
	}
	files, err := patched(filepath.Join(goroot, "src"), patches)
	if err != nil {
		return "", err
	}
	maps.Copy(files, added)
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("overlay: %w", err)
	}
	folder := filepath.Join(dir, contentHash(goroot, files))
	overlayJSON = filepath.Join(folder, "overlay.json")
	if _, err := os.Stat(overlayJSON); err == nil {
		return overlayJSON, nil
	}
	return overlayJSON, install(goroot, dir, folder, files)
}

// install writes the files into a temporary folder and renames it: a reader sees
// a whole overlay or none, and of two writers either one's files, which are equal.
func install(goroot, dir, folder string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	tmp, err := os.MkdirTemp(dir, "new-")
	if err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	defer os.RemoveAll(tmp)
	replace := make(map[string]string, len(files))
	for _, name := range sortedNames(files) {
		flat := strings.ReplaceAll(name, "/", "_")
		if err := os.WriteFile(filepath.Join(tmp, flat), files[name], 0o644); err != nil {
			return fmt.Errorf("overlay: %w", err)
		}
		replace[filepath.Join(goroot, "src", filepath.FromSlash(name))] = filepath.Join(folder, flat)
	}
	list, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	if err := os.WriteFile(filepath.Join(tmp, "overlay.json"), list, 0o644); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	if err := os.Rename(tmp, folder); err != nil {
		if _, there := os.Stat(filepath.Join(folder, "overlay.json")); there == nil {
			return nil // somebody else was first
		}
		return fmt.Errorf("overlay: %w", err)
	}
	return nil
}

// patched returns the patched content of every file that a patch names.
func patched(src string, patches []Patch) (map[string][]byte, error) {
	text := map[string]string{}
	for _, p := range patches {
		s, ok := text[p.File]
		if !ok {
			b, err := os.ReadFile(filepath.Join(src, filepath.FromSlash(p.File)))
			if err != nil {
				return nil, fmt.Errorf("overlay: %w", err)
			}
			s = string(b)
		}
		if n := strings.Count(s, p.Find); n != p.Count {
			return nil, fmt.Errorf("overlay: %s: found %d times, want %d: %q (%s)", p.File, n, p.Count, p.Find, p.Why)
		}
		text[p.File] = strings.ReplaceAll(s, p.Find, p.Put)
	}
	files := make(map[string][]byte, len(text)+1)
	for name, s := range text {
		files[name] = []byte(s)
	}
	return files, nil
}

// toolchainVersion reads the first line of goroot/VERSION.
func toolchainVersion(goroot string) (string, error) {
	b, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err != nil {
		return "", fmt.Errorf("overlay: not the root of a Go toolchain: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(line), nil
}

func contentHash(goroot string, files map[string][]byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", Toolchain, goroot)
	for _, name := range sortedNames(files) {
		fmt.Fprintf(h, "%s %d\n", name, len(files[name]))
		h.Write(files[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func sortedNames(files map[string][]byte) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
