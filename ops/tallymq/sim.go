package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tallymq/tallymq/simtest/overlay"
)

// simCmds are the simulator's commands.
type simCmds struct {
	Overlay  simOverlay  `cmd:"" help:"Write the simulator's build overlay for the Go toolchain in use and print its path."`
	Run      simRun      `cmd:"" help:"Run seeds of the simulator on tallymq itself, inside its source tree."`
	Timeline simTimeline `cmd:"" help:"Draw the trace of a simulated world as an HTML page."`
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
	root, err := goEnv("GOROOT")
	if err != nil {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	path, err := overlay.Write(root, filepath.Join(cache, "tallymq", "overlay"))
	if err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}

// simRun runs the seeds of the project's own worlds.
type simRun struct {
	Seeds uint `default:"6" help:"How many seeds of each world."`
	First uint `default:"1" help:"The first seed."`
}

// Help is shown by --help.
func (simRun) Help() string {
	return "Each seed is one world of Raft hosts and one of whole nodes with real Kafka clients and faults; each is a process " +
		"of its own. Every third seed runs twice and its hashes must be equal. A seed that fails prints the command that repeats it."
}

// simScript does the work, for make too.
const simScript = "ops/scripts/sim.sh"

// Run runs the script of the source tree that this is called in.
func (c simRun) Run() error {
	mod, err := goEnv("GOMOD")
	if err != nil {
		return err
	}
	root := filepath.Dir(mod)
	if _, err := os.Stat(filepath.Join(root, simScript)); err != nil {
		return errors.New("sim run works inside tallymq's source tree; tests of your own run with -overlay=$(tallymq sim overlay)")
	}
	cmd := exec.Command(filepath.Join(root, simScript), strconv.FormatUint(uint64(c.Seeds), 10), strconv.FormatUint(uint64(c.First), 10))
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, os.Stdout, os.Stderr
	return cmd.Run()
}

func goEnv(name string) (string, error) {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return "", fmt.Errorf("go env %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}
