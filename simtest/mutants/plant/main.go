package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/tallymq/tallymq/simtest/mutants"
	"github.com/tallymq/tallymq/simtest/overlay"
)

func main() {
	pattern := flag.String("run", "", "only mutants whose name matches this regular expression")
	seeds := flag.Int("seeds", 0, "at most this many seeds each; 0: what each mutant says")
	first := flag.Int("first", 1, "the first seed")
	list := flag.Bool("list", false, "list the mutants and end")
	out := flag.String("table", "", "write what was found to this document, line by line as it is found")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *pattern, *seeds, *first, *list, *out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, pattern string, seeds, first int, list bool, out string) error {
	chosen, err := choose(pattern)
	if err != nil {
		return err
	}
	if list {
		for _, m := range chosen {
			fmt.Printf("%s: %s\n\tviolates: %s\n\texpected: %s, by %v within %d seeds\n",
				m.Name, m.Breaks, m.Promise, strings.Join(m.Anomalies, ", "), m.World, m.Seeds)
		}
		return nil
	}
	h, err := newHunt(seeds, first)
	if err != nil {
		return err
	}
	table, err := mutants.ReadTable(out)
	if err != nil {
		return err
	}
	var reports []mutants.Report
	var failed []error
	fmt.Println(mutants.Head)
	for _, m := range chosen {
		r, err := h.Run(ctx, m)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			failed = append(failed, err)
			continue
		}
		fmt.Println(r)
		reports = append(reports, r)
		if table.Put(r); out != "" {
			if err := table.Write(out); err != nil {
				return err
			}
		}
		if !r.Killed {
			failed = append(failed, fmt.Errorf("%s was not found in %d seeds", r.Name, r.Tried))
		}
	}
	fmt.Println()
	fmt.Println(mutants.Summary(reports))
	return errors.Join(failed...)
}

func choose(pattern string) ([]mutants.Mutant, error) {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	all, err := mutants.All()
	if err != nil {
		return nil, err
	}
	var chosen []mutants.Mutant
	for _, m := range all {
		if match.MatchString(m.Name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no mutant matches %q", pattern)
	}
	return chosen, nil
}

// newHunt writes the simulator's overlay and finds the source tree.
func newHunt(seeds, first int) (*mutants.Hunt, error) {
	mod, err := goEnv("GOMOD")
	if err != nil {
		return nil, err
	}
	goroot, err := goEnv("GOROOT")
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	base, err := overlay.Write(goroot, filepath.Join(cache, "tallymq", "overlay"))
	if err != nil {
		return nil, err
	}
	root := filepath.Dir(mod)
	return &mutants.Hunt{Root: root, Base: base, Dir: filepath.Join(root, ".cache", "mutants"), Seeds: seeds, First: first}, nil
}

func goEnv(name string) (string, error) {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return "", fmt.Errorf("go env %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}
