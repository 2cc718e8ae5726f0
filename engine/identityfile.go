package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/engine/broker"
)

// The identity lies in two files with the same content, each written whole and renamed into place, one after the other:
//
//	{"version":1,"crc32c":"89abcdef","identity":{...}}
//
// The checksum is over the bytes of the identity as they stand there. A copy that is damaged or missing is made anew
// from the other one. When both are damaged the node must not start from its stores: nothing else says which replicas it
// must never run again.
const (
	identityFile    = "identity.json"
	identityCopy    = "identity.copy.json"
	identityVersion = 1
)

// ErrIdentityDamaged: no copy of the identity can be read. `tallymq rebuild` sets what the node had aside, and its next
// start gets everything from its peers as after the loss of its disk.
var ErrIdentityDamaged = errors.New("every copy of the node's identity is damaged: rebuild this node from its peers (tallymq rebuild)")

// envelope is an identity as a file holds it.
type envelope struct {
	Version  int             `json:"version"`
	CRC32C   string          `json:"crc32c"`
	Identity json.RawMessage `json:"identity"`
}

func sumOf(b []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli)) }

// encode gives the bytes of a file.
func (id *identity) encode() ([]byte, error) {
	b, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope{Version: identityVersion, CRC32C: sumOf(b), Identity: b})
}

// decodeIdentity accepts what encode gave, of this or another version of the program, and nothing that was changed since.
func decodeIdentity(b []byte) (identity, error) {
	var id identity
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return id, err
	}
	if e.Version == 0 && len(e.Identity) == 0 {
		return decodeBareIdentity(b)
	}
	if e.Version != identityVersion {
		return id, fmt.Errorf("version %d, this program knows %d", e.Version, identityVersion)
	}
	if got := sumOf(e.Identity); got != e.CRC32C {
		return id, fmt.Errorf("its checksum is %s, it says %q", got, e.CRC32C)
	}
	if again, err := json.Marshal(e); err != nil || !bytes.Equal(again, b) {
		return id, errors.New("its envelope was changed")
	}
	if err := json.Unmarshal(e.Identity, &id); err != nil {
		return identity{}, err
	}
	return id, nil
}

// decodeBareIdentity reads what the first versions of the program wrote: the identity alone, without a checksum. A damaged
// envelope is not one: it has members that no identity has.
func decodeBareIdentity(b []byte) (id identity, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&id); err != nil {
		return identity{}, err
	}
	if id.Node <= 0 || d.More() {
		return identity{}, errors.New("it names no node")
	}
	return id, nil
}

// readIdentity reads one copy. found is false if there is no file.
func readIdentity(fsys vfs.FS, path string) (id identity, found bool, err error) {
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return id, false, nil
	}
	if err != nil {
		return id, true, fmt.Errorf("engine: open identity: %w", err)
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return id, true, fmt.Errorf("engine: read %s: %w", path, err)
	}
	if id, err = decodeIdentity(b); err != nil {
		return id, true, fmt.Errorf("engine: %s is damaged: %w", path, err)
	}
	return id, true, nil
}

// loadIdentity gives the newer copy and makes the other one equal to it before anything is done by what it says: were
// the newer one damaged later, the older must not come back. mended says why that was necessary. No file at all is a new
// node.
func loadIdentity(fsys vfs.FS, dir string) (id identity, mended string, err error) {
	a, foundA, errA := readIdentity(fsys, fsys.PathJoin(dir, identityFile))
	b, foundB, errB := readIdentity(fsys, fsys.PathJoin(dir, identityCopy))
	wholeA, wholeB := foundA && errA == nil, foundB && errB == nil
	switch {
	case !foundA && !foundB:
		return identity{}, "", nil
	case !wholeA && !wholeB:
		return identity{}, "", fmt.Errorf("%w: %w", ErrIdentityDamaged, errors.Join(errA, errB))
	case wholeA && wholeB && a.Sequence == b.Sequence:
		return a, "", nil
	case wholeA && (!wholeB || a.Sequence > b.Sequence):
		id, mended = a, identityCopy
	default:
		id, mended = b, identityFile
	}
	why := "it was missing, or older by a crash"
	if err := errors.Join(errA, errB); err != nil {
		why = err.Error()
	}
	if err := id.write(fsys, dir, mended); err != nil {
		return identity{}, "", fmt.Errorf("engine: mend %s (%s): %w", mended, why, err)
	}
	return id, mended + ": " + why, nil
}

// NodeOf says whose data a folder holds, 0 if it holds none. The error wraps ErrIdentityDamaged if nobody can tell.
func NodeOf(fsys vfs.FS, dir string) (broker.NodeID, error) {
	id, _, err := loadIdentity(fsys, dir)
	return id.Node, err
}

// IdentityFiles are the names of the identity's copies in a data-dir.
func IdentityFiles() []string { return []string{identityFile, identityCopy} }

// save writes the identity durably: a crash leaves the old one or the new one.
func (id *identity) save(fsys vfs.FS, dir string) error {
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	id.Sequence++
	for _, name := range IdentityFiles() {
		if err := id.write(fsys, dir, name); err != nil {
			return err
		}
	}
	return nil
}

// write puts one copy in place; it is durable on return.
func (id *identity) write(fsys vfs.FS, dir, name string) error {
	b, err := id.encode()
	if err != nil {
		return err
	}
	tmp := fsys.PathJoin(dir, name+".tmp")
	f, err := fsys.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := fsys.Rename(tmp, fsys.PathJoin(dir, name)); err != nil {
		return err
	}
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
