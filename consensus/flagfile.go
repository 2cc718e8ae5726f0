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

// The flag file is the last eight bytes of an MD5 sum and the marshalled status that it covers.
const flagSumBytes = 8

// readFlagFile reads the flag file; ok is false when there is none or it was torn by a crash of the very first start.
func readFlagFile(fs vfs.FS, dir string) (s raftpb.RaftDataStatus, ok bool, err error) {
	f, err := fs.Open(filepath.Join(dir, flagFileName))
	if err != nil {
		if isNotExist(err) {
			return s, false, nil
		}
		return s, false, err
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return s, false, err
	}
	if len(b) < flagSumBytes || !bytes.Equal(b[:flagSumBytes], flagSum(b[flagSumBytes:])) {
		return s, false, nil
	}
	if err := s.Unmarshal(b[flagSumBytes:]); err != nil {
		return s, false, nil
	}
	return s, true, nil
}

func flagSum(b []byte) []byte {
	sum := md5.Sum(b)
	return sum[flagSumBytes:]
}

// prepareFlagFile refuses a changed Raft address in words, forgets the host name (a container gets a new one at every
// start, which dragonboat would refuse), and removes a torn file, which dragonboat would panic at: it holds no data.
func prepareFlagFile(fs vfs.FS, dir, raftAddress string, log *slog.Logger) error {
	path := filepath.Join(dir, flagFileName)
	s, ok, err := readFlagFile(fs, dir)
	if err != nil {
		return fmt.Errorf("consensus: read %s: %w", path, err)
	}
	if !ok {
		if err := fs.Remove(path); err != nil && !isNotExist(err) {
			return fmt.Errorf("consensus: remove torn %s: %w", path, err)
		} else if err == nil {
			atFlagFileTorn.Hit()
			log.Warn("removed a flag file torn by a crash", "path", path)
		}
		return nil
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
