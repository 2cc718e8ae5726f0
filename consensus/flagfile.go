package consensus

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4/raftpb"
)

// flagFileName is dragonboat's record of what must not change between starts (environment.go).
const flagFileName = "dragonboat.ds"

// idFileName is dragonboat's name for a node host. Nothing here goes by it: nodes have addresses.
const idFileName = "NODEHOST.ID"

// The flag file is the last eight bytes of an MD5 sum and the marshalled status that it covers.
const flagSumBytes = 8

// readFlagFile reads the flag file; ok is false when there is none, or it was torn by a crash of the very first start or is damaged.
func readFlagFile(fs vfs.FS, dir string) (s raftpb.RaftDataStatus, ok bool, err error) {
	b, ok, err := readSummed(fs, filepath.Join(dir, flagFileName))
	if err != nil || !ok {
		return s, false, err
	}
	if err := s.Unmarshal(b); err != nil {
		return s, false, nil
	}
	return s, true, nil
}

// readSummed reads what the sum at a file's beginning covers; ok is false when there is none or it does not fit.
func readSummed(fs vfs.FS, path string) (b []byte, ok bool, err error) {
	f, err := fs.Open(path)
	if err != nil {
		if isNotExist(err) {
			return nil, false, nil
		}
		return nil, false, err
	}
	b, err = io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, false, err
	}
	if len(b) < flagSumBytes || !bytes.Equal(b[:flagSumBytes], flagSum(b[flagSumBytes:])) {
		return nil, false, nil
	}
	return b[flagSumBytes:], true, nil
}

func flagSum(b []byte) []byte {
	sum := md5.Sum(b)
	return sum[flagSumBytes:]
}

// prepareFlagFile refuses a changed Raft address in words, forgets the host name (a container gets a new one at every
// start, which dragonboat would refuse), and removes a torn or damaged file, which dragonboat would panic at: it holds no data.
func prepareFlagFile(fs vfs.FS, dir, raftAddress string, log *slog.Logger) error {
	path := filepath.Join(dir, flagFileName)
	s, ok, err := readFlagFile(fs, dir)
	if err != nil {
		return fmt.Errorf("consensus: read %s: %w", path, err)
	}
	if !ok {
		return removeTorn(fs, path, log)
	}
	if !strings.EqualFold(strings.TrimSpace(s.Address), strings.TrimSpace(raftAddress)) {
		return fmt.Errorf("%w: %q was started as %q, now as %q", ErrAddressChanged, dir, s.Address, raftAddress)
	}
	if s.Hostname == "" {
		return nil
	}
	s.Hostname = ""
	b, err := s.Marshal()
	if err != nil {
		return fmt.Errorf("consensus: flag file: %w", err)
	}
	if err := writeFileAtomically(fs, path, append(bytes.Clone(flagSum(b)), b...)); err != nil {
		return fmt.Errorf("consensus: rewrite %s: %w", path, err)
	}
	return nil
}

// prepareIDFile removes a torn or damaged name, which dragonboat would panic at. It takes another one then.
func prepareIDFile(fs vfs.FS, dir string, log *slog.Logger) error {
	path := filepath.Join(dir, idFileName)
	_, ok, err := readSummed(fs, path)
	if err != nil {
		return fmt.Errorf("consensus: read %s: %w", path, err)
	}
	if ok {
		return nil
	}
	return removeTorn(fs, path, log)
}

func removeTorn(fs vfs.FS, path string, log *slog.Logger) error {
	err := fs.Remove(path)
	switch {
	case isNotExist(err):
	case err != nil:
		return fmt.Errorf("consensus: remove torn %s: %w", path, err)
	default:
		atFlagFileTorn.Hit()
		log.Warn("removed a file that a crash has torn or the disk has damaged; it holds no data", "path", path)
	}
	return nil
}

// writeFileAtomically makes path hold b, durably: a crash leaves the old contents or the new.
func writeFileAtomically(fs vfs.FS, path string, b []byte) error {
	tmp := path + ".tmp"
	f, err := fs.Create(tmp, writeCategory)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(fs, filepath.Dir(path))
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
