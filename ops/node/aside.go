package node

import (
	"errors"
	"io/fs"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/engine"
)

// SetAside moves the stores of a stopped node to a folder below its data-dir and returns that
// folder. The next start gets everything from the peers, under new replica ids. Whoever calls
// it has asked a healthy peer first (engine.ClusterState.SafeWithout).
//
// The identity stays: it names the replicas that were here, and a start that does not find
// their logs calls them lost. A crash in between leaves some stores aside, which is the same to
// the next start as all of them, and may be done again. An identity that nobody can read goes
// too, and last: the next start is that of an empty disk, and the catalog says what was lost.
func SetAside(fsys vfs.FS, dataDir string, now time.Time) (string, error) {
	aside := fsys.PathJoin(dataDir, "aside-"+now.UTC().Format("20060102T150405Z"))
	if err := fsys.MkdirAll(aside, 0o755); err != nil {
		return "", err
	}
	names := []string{"journal", "rows", "raft"}
	if _, err := engine.NodeOf(fsys, dataDir); errors.Is(err, engine.ErrIdentityDamaged) {
		names = append(names, engine.IdentityFiles()...)
	} else if err != nil {
		return "", err
	}
	for _, name := range names {
		if err := fsys.Rename(fsys.PathJoin(dataDir, name), fsys.PathJoin(aside, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	d, err := fsys.OpenDir(dataDir)
	if err != nil {
		return "", err
	}
	return aside, errors.Join(d.Sync(), d.Close())
}
