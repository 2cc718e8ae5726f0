package consensus

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	lnivfs "github.com/lni/vfs"
)

// writeCategory is what pebble's disk metrics file dragonboat's few writes under.
const writeCategory vfs.DiskWriteCategory = "consensus"

// raftFS lets dragonboat use the file system that was handed in.
//
// dragonboat puts the machine's host name into every path below its directory (environment.go, getSnapshotDirParts), so
// a container that comes back under another name would find none of its snapshots. The directory is therefore called
// "host" whatever the host is called; the same name in the flag file is dealt with in flagfile.go.
type raftFS struct {
	fs       vfs.FS
	from, to string // the directory with the host's name, and the one used instead
}

func newRaftFS(fs vfs.FS, dir, hostname string) *raftFS {
	return &raftFS{fs: fs, from: filepath.Join(dir, hostname), to: filepath.Join(dir, "host")}
}

func (r *raftFS) path(name string) string {
	if rest, ok := strings.CutPrefix(name, r.from); ok && (rest == "" || rest[0] == filepath.Separator) {
		return r.to + rest
	}
	return name
}

func (r *raftFS) Create(name string) (lnivfs.File, error) {
	return wrapFile(r.fs.Create(r.path(name), writeCategory))
}

func (r *raftFS) Link(oldname, newname string) error {
	return r.fs.Link(r.path(oldname), r.path(newname))
}

func (r *raftFS) Open(name string, opts ...lnivfs.OpenOption) (lnivfs.File, error) {
	f, err := wrapFile(r.fs.Open(r.path(name)))
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		o.Apply(f)
	}
	return f, nil
}

func (r *raftFS) OpenDir(name string) (lnivfs.File, error) {
	return wrapFile(r.fs.OpenDir(r.path(name)))
}

func (r *raftFS) OpenForAppend(name string) (lnivfs.File, error) {
	f, err := r.fs.OpenReadWrite(r.path(name), writeCategory)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &raftFile{File: f, offset: st.Size()}, nil
}

func (r *raftFS) Remove(name string) error    { return r.fs.Remove(r.path(name)) }
func (r *raftFS) RemoveAll(name string) error { return r.fs.RemoveAll(r.path(name)) }

func (r *raftFS) Rename(oldname, newname string) error {
	return r.fs.Rename(r.path(oldname), r.path(newname))
}

func (r *raftFS) ReuseForWrite(oldname, newname string) (lnivfs.File, error) {
	return wrapFile(r.fs.ReuseForWrite(r.path(oldname), r.path(newname), writeCategory))
}

func (r *raftFS) MkdirAll(dir string, perm os.FileMode) error {
	return r.fs.MkdirAll(r.path(dir), perm)
}

func (r *raftFS) Lock(name string) (io.Closer, error) { return r.fs.Lock(r.path(name)) }
func (r *raftFS) List(dir string) ([]string, error)   { return r.fs.List(r.path(dir)) }
func (r *raftFS) PathBase(path string) string         { return r.fs.PathBase(path) }
func (r *raftFS) PathJoin(elem ...string) string      { return r.fs.PathJoin(elem...) }
func (r *raftFS) PathDir(path string) string          { return r.fs.PathDir(path) }
func (r *raftFS) Stat(name string) (info os.FileInfo, err error) {
	st, err := r.fs.Stat(r.path(name))
	if err != nil {
		return nil, err
	}
	return st, nil
}

func (r *raftFS) GetDiskUsage(path string) (lnivfs.DiskUsage, error) {
	u, err := r.fs.GetDiskUsage(r.path(path))
	return lnivfs.DiskUsage{AvailBytes: u.AvailBytes, TotalBytes: u.TotalBytes, UsedBytes: u.UsedBytes}, err
}

// raftFile adds the seeking that pebble's files lack: dragonboat writes a snapshot's header last, at its beginning. Like
// an os.File it must not be read, written or sought by two goroutines at once.
type raftFile struct {
	vfs.File
	offset int64
}

func wrapFile(f vfs.File, err error) (lnivfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &raftFile{File: f}, nil
}

func (f *raftFile) Read(p []byte) (int, error) {
	n, err := f.File.ReadAt(p, f.offset)
	f.offset += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (f *raftFile) Write(p []byte) (int, error) {
	n, err := f.File.WriteAt(p, f.offset)
	f.offset += int64(n)
	return n, err
}

func (f *raftFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		st, err := f.File.Stat()
		if err != nil {
			return 0, err
		}
		offset += st.Size()
	}
	if offset < 0 {
		return 0, os.ErrInvalid
	}
	f.offset = offset
	return offset, nil
}

func (f *raftFile) Stat() (os.FileInfo, error) {
	st, err := f.File.Stat()
	if err != nil {
		return nil, err
	}
	return st, nil
}
