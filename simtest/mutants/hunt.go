package mutants

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Hunt runs seeds of mutants until they are found.
type Hunt struct {
	Root  string // the module's
	Base  string // the simulator's overlay
	Dir   string // for binaries and logs
	First int    // seed to begin with
	Seeds int    // at most; 0: what each mutant says

	clean map[World]*counterpart
}

// counterpart is the unmutated world.
type counterpart struct {
	binary string
	passed map[int]bool
}

// A Report is what became of a mutant.
type Report struct {
	Mutant
	Killed   bool
	Seed     int // that killed it, or the last one tried
	Tried    int
	Finding  Finding
	Took     time.Duration // of the mutant's seeds, without building and without the clean runs
	Expected bool          // the anomaly is one that the header names
}

// Run hunts one mutant. A mutant that survives is a Report, not an error; an error is
// a patch that does not fit, a world that does not build, or a clean seed that fails.
func (h *Hunt) Run(ctx context.Context, m Mutant) (Report, error) {
	r := Report{Mutant: m}
	dir := filepath.Join(h.Dir, m.Name)
	if err := os.RemoveAll(dir); err != nil {
		return r, err
	}
	overlay, err := m.Overlay(h.Root, h.Base, dir)
	if err != nil {
		return r, err
	}
	binary := filepath.Join(dir, "world.test")
	if err := build(ctx, h.Root, overlay, m.World.Package, binary); err != nil {
		return r, fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	bound := m.Seeds
	if h.Seeds > 0 {
		bound = min(bound, h.Seeds)
	}
	for n := range bound {
		r.Seed, r.Tried = h.First+n, n+1
		began := time.Now()
		if r.Finding, err = seed(ctx, h.Root, binary, m.World, r.Seed, dir); err != nil {
			return r, fmt.Errorf("mutant %s, seed %d: %w", m.Name, r.Seed, err)
		}
		r.Took += time.Since(began)
		if r.Killed = r.Finding.Anomaly != ""; r.Killed {
			break
		}
	}
	r.Expected = slices.Contains(m.Anomalies, r.Finding.Anomaly)
	// The disk is small and the binary large; it is built again from the cache in no time.
	return r, firstOf(h.cleanRun(ctx, &r), os.Remove(binary))
}

// cleanRun runs the same seeds on unmutated code: they must pass. Only the seed that
// killed shows something for a mutant that took one; the others were tried and passed
// with the mistake in place, so without it they are asked for once a run.
func (h *Hunt) cleanRun(ctx context.Context, r *Report) error {
	if !r.Killed {
		return nil
	}
	c, err := h.counterpart(ctx, r.World)
	if err != nil {
		return err
	}
	for s := h.First; s <= r.Seed; s++ {
		if c.passed[s] {
			continue
		}
		f, err := seed(ctx, h.Root, c.binary, r.World, s, filepath.Dir(c.binary))
		if err != nil {
			return fmt.Errorf("%v, seed %d, unmutated: %w", r.World, s, err)
		}
		if f.Anomaly != "" {
			return fmt.Errorf("%v, seed %d, unmutated, is not clean: %s: %s", r.World, s, f.Anomaly, f.Text)
		}
		c.passed[s] = true
	}
	return nil
}

// counterpart builds a world without any mutant, once.
func (h *Hunt) counterpart(ctx context.Context, w World) (*counterpart, error) {
	if c := h.clean[w]; c != nil {
		return c, nil
	}
	dir := filepath.Join(h.Dir, "unmutated")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	c := &counterpart{binary: filepath.Join(dir, filepath.Base(w.Package)+".test"), passed: map[int]bool{}}
	if h.clean == nil {
		h.clean = map[World]*counterpart{}
	}
	h.clean[w] = c
	return c, build(ctx, h.Root, h.Base, w.Package, c.binary)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
