package runner

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tallymq/tallymq/simtest/overlay"
)

// A World is a test that runs one simulated world.
type World struct {
	Name    string // for people: "raft", "kafka", or the test's name
	Package string // as the go command takes it
	Test    string // the test's name
}

const (
	own    = "github.com/tallymq/tallymq/simtest"
	narrow = own + "/narrow"
)

// Wide are the worlds of this project in which anything may go wrong; they run inside its source tree.
var Wide = []World{
	{"raft", own, "TestRaftSurvivesThePlan"},
	{"kafka", own + "/cluster", "TestKafkaSurvivesThePlan"},
}

// Own are all of them, with those that each press on one promise.
var Own = append([]World{
	{"power", narrow, "TestPowerIsLostEverywhere"},
	{"topics-power", narrow, "TestNewTopicsSurvivePower"},
	{"elections", narrow, "TestNodesDieWhileTheyVote"},
	{"long-elections", narrow, "TestAnElectionTakesLong"},
	{"stale", narrow, "TestWhoWasReplacedTellsNothingOld"},
	{"retries", narrow, "TestABatchThatComesAgain"},
	{"groups", narrow, "TestAGroupOverManyCoordinators"},
	{"catalog", narrow, "TestManyAskForTopicsAtOnce"},
	{"late-commands", narrow, "TestCommandsComeLate"},
	{"cut-off", narrow, "TestWhoWasCutOffForgetsNoTopic"},
	{"drive", narrow, "TestADriveIsReplaced"},
	{"rot", narrow, "TestAJournalRots"},
	{"install", narrow, "TestAReplicaComesBackBySnapshot"},
	{"compaction", narrow, "TestACompactedLog"},
	{"queues", narrow, "TestQueuesSurviveThePlan"},
}, Wide...)

// A Binary is the test binary of a world, built with the overlay.
type Binary struct {
	World
	Path string // of the binary
	Dir  string // the package's, in which it runs
}

// Build builds a world's test binary into a folder. The go command's own cache makes
// it quick when nothing changed.
func Build(ctx context.Context, w World, into string) (*Binary, error) {
	overlayFile, err := Overlay(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := goCommand(ctx, "list", "-f", "{{.Dir}}", w.Package)
	if err != nil {
		return nil, err
	}
	if into, err = filepath.Abs(into); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	path := filepath.Join(into, w.Name+".test")
	if _, err := goCommand(ctx, "test", "-c", "-overlay="+overlayFile, "-o", path, w.Package); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("build: %s has no tests", w.Package)
	}
	return &Binary{World: w, Path: path, Dir: dir}, nil
}

// Overlay writes the overlay for the toolchain in use, when it is not there, and
// returns its path.
func Overlay(ctx context.Context) (string, error) {
	root, err := goCommand(ctx, "env", "GOROOT")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("overlay: %w", err)
	}
	return overlay.Write(root, filepath.Join(cache, "tallymq", "overlay"))
}

// goCommand runs the go command without cgo and returns its trimmed output.
func goCommand(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var failure strings.Builder
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, strings.TrimSpace(failure.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
