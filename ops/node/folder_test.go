package node

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A data-dir that was just made is there after a loss of power, with all folders above it.
func TestNewFolderSurvivesPowerLoss(t *testing.T) {
	for _, path := range []string{"data", "srv/tally/data"} {
		fsys := vfs.NewCrashableMem()
		if err := makeFolder(fsys, path); err != nil {
			t.Fatal(err)
		}
		if _, err := fsys.CrashClone(vfs.CrashCloneCfg{}).Stat(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	// A start that died between making it and the sync is made good by the next.
	fsys := vfs.NewCrashableMem()
	if err := fsys.MkdirAll("data", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := makeFolder(fsys, "data"); err != nil {
		t.Fatal(err)
	}
	if _, err := fsys.CrashClone(vfs.CrashCloneCfg{}).Stat("data"); err != nil {
		t.Error(err)
	}
}
