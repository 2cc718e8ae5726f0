package mutants

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// replacements is the build overlay's file, see `go help build`.
type replacements struct {
	Replace map[string]string
}

// Overlay writes the mutant's patched files and an overlay of base and them into
// dir, and returns the overlay's path. root is the module's.
func (m *Mutant) Overlay(root, base, dir string) (string, error) {
	var o replacements
	b, err := os.ReadFile(base)
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	if err != nil {
		return "", fmt.Errorf("read the simulator's overlay: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for i := range m.Files {
		p := &m.Files[i]
		source := filepath.Join(root, filepath.FromSlash(p.Path))
		text, err := p.read(root)
		if err != nil {
			return "", fmt.Errorf("mutant %s: %w", m.Name, err)
		}
		copied := filepath.Join(dir, strings.ReplaceAll(p.Path, "/", "_"))
		if err := os.WriteFile(copied, []byte(text), 0o644); err != nil {
			return "", err
		}
		o.Replace[source] = copied
	}
	if b, err = json.MarshalIndent(o, "", "\t"); err != nil {
		return "", err
	}
	merged := filepath.Join(dir, "overlay.json")
	return merged, os.WriteFile(merged, b, 0o644)
}

// read returns the patched text of the file as the working tree has it.
func (p *FilePatch) read(root string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.Path)))
	if err != nil {
		return "", err
	}
	return p.Apply(string(b))
}
