package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tallymq/tallymq/simtest/overlay"
	"github.com/tallymq/tallymq/simtest/runner"
)

// simCmds are the simulator's commands.
type simCmds struct {
	Overlay  simOverlay  `cmd:"" help:"Write the simulator's build overlay for the Go toolchain in use and print its path."`
	Run      simRun      `cmd:"" help:"Run seeds of simulated worlds, each in a process of its own."`
	Shrink   simShrink   `cmd:"" help:"Make the plan of a failing seed small and write it to a file."`
	Timeline simTimeline `cmd:"" help:"Draw a seed as a page: nodes and clients over simulated time."`
}

// simOverlay prints where the overlay is.
type simOverlay struct{}

// Help is shown by --help.
func (simOverlay) Help() string {
	return "A test that calls simtest.Run needs a binary built with the overlay:\n\n" +
		"  go test -overlay=$(tallymq sim overlay) ./...\n\n" +
		"The files are kept in the user's cache folder, named by their content; the toolchain itself is not changed. " +
		"The patches are proven on " + overlay.Toolchain + " only; another toolchain is refused."
}

// Run prints the path.
func (simOverlay) Run() error {
	path, err := runner.Overlay(context.Background())
	if err == nil {
		fmt.Println(path)
	}
	return err
}

// simWorld says which worlds.
type simWorld struct {
	World   []string `help:"Worlds of tallymq itself, inside its source tree: raft, kafka (both are the default), power, topics-power, elections, long-elections, stale, retries, groups, catalog, late-commands, cut-off, drive, rot, install, or all." placeholder:"NAME"`
	Package string   `help:"A package of yours with a test that calls simtest.Run, instead." placeholder:"./PATH"`
	Test    string   `help:"The name of that test." placeholder:"TestName"`
	Build   string   `help:"Folder for the test binaries." default:".cache/sim" type:"path"`
}

func (c *simWorld) worlds() (ws []runner.World, err error) {
	if (c.Package == "") != (c.Test == "") {
		return nil, errors.New("--package and --test go together")
	}
	if c.Package != "" {
		return []runner.World{{Name: strings.ToLower(c.Test), Package: c.Package, Test: c.Test}}, nil
	}
	switch {
	case len(c.World) == 0:
		return runner.Wide, nil
	case len(c.World) == 1 && c.World[0] == "all":
		return runner.Own, nil
	}
	for _, name := range c.World {
		found := false
		for _, w := range runner.Own {
			if w.Name == name {
				ws, found = append(ws, w), true
			}
		}
		if !found {
			return nil, fmt.Errorf("--world %s: there is no such world, see --help", name)
		}
	}
	return ws, nil
}

// binaries builds what the worlds need.
func (c *simWorld) binaries(ctx context.Context) (bs []*runner.Binary, err error) {
	ws, err := c.worlds()
	if err != nil {
		return nil, err
	}
	for _, w := range ws {
		b, err := runner.Build(ctx, w, c.Build)
		if err != nil {
			return nil, err
		}
		bs = append(bs, b)
	}
	return bs, nil
}

// binary is the one world of a command that takes one.
func (c *simWorld) binary(ctx context.Context) (*runner.Binary, error) {
	bs, err := c.binaries(ctx)
	if err == nil && len(bs) != 1 {
		err = errors.New("which world? --world raft or kafka, or --package and --test")
	}
	if err != nil {
		return nil, err
	}
	return bs[0], nil
}

// seedRange is A..B, or one seed.
type seedRange struct{ first, last uint64 }

// UnmarshalText reads it.
func (r *seedRange) UnmarshalText(b []byte) (err error) {
	a, z, isRange := strings.Cut(string(b), "..")
	if r.first, err = strconv.ParseUint(a, 10, 64); err != nil {
		return fmt.Errorf("%q is no range of seeds: want A..B", b)
	}
	r.last = r.first
	if isRange {
		r.last, err = strconv.ParseUint(z, 10, 64)
	}
	if err != nil || r.last < r.first || r.last-r.first >= seedsMax {
		return fmt.Errorf("%q is no range of seeds: want A..B, at most %d of them", b, seedsMax)
	}
	return nil
}

// seedsMax bounds one run.
const seedsMax = 10_000_000

// freshSeeds is the range that starts at a seed nobody chose.
func freshSeeds(n uint64) seedRange {
	first := uint64(time.Now().UnixMilli()) % (1 << 40)
	return seedRange{first, first + n - 1}
}

// untilInterrupted is a context that ends with Ctrl-C or SIGTERM.
func untilInterrupted() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}
