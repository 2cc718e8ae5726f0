package node

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// makeFolder makes a folder, with those above it, such that a loss of power does not take it:
// a new name is durable only once the folder that holds it is synced, and with the name of the
// data-dir everything in it would go, however often that was synced.
func makeFolder(fsys vfs.FS, path string) error {
	above, known := []string{fsys.PathDir(path)}, false
	if _, err := fsys.Stat(path); err == nil {
		known = true // it may be that an earlier start made it and died before the sync
	}
	for at := above[0]; !known; at = fsys.PathDir(at) {
		if _, err := fsys.Stat(at); err == nil || fsys.PathDir(at) == at {
			break
		}
		above = append(above, fsys.PathDir(at))
	}
	if err := fsys.MkdirAll(path, 0o755); err != nil {
		return err
	}
	for _, at := range above {
		d, err := fsys.OpenDir(at)
		if known && errors.Is(err, fs.ErrPermission) {
			return nil // an operator made it, where this user may not look
		}
		if err != nil {
			return fmt.Errorf("open %s, to make %s durable: %w", at, path, err)
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return fmt.Errorf("sync %s, to make %s durable: %w", at, path, err)
		}
	}
	return nil
}
