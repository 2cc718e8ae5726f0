package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/engine/broker"
)

// identity is what a node must know of itself before it knows the catalog. A folder
// that has one is a restart: bootstrap and join no longer count.
type identity struct {
	Node      broker.NodeID `json:"node"`
	ClusterID string        `json:"cluster_id"`
	// Starting names the replicas that are being started on this disk for the first time;
	// Started those of which the journal has, or had, a durable record. A crash in between
	// leaves a replica that never promised anything.
	Starting map[broker.ShardID]uint64 `json:"starting,omitempty"`
	Started  map[broker.ShardID]uint64 `json:"started,omitempty"`
	// Lost names the replicas that this node had and whose disk is gone. They must be
	// replaced under new ids.
	Lost map[broker.ShardID]uint64 `json:"lost,omitempty"`
	// Condemned names the replicas whose state was found to be wrong. Their files look right, so
	// only this keeps one from leading again after a restart, before it is replaced.
	Condemned map[broker.ShardID]condemned `json:"condemned,omitempty"`
	// Members are the nodes and replicas as last known: whom to ask for a good copy of
	// what is damaged, before the catalog is known again.
	Members members `json:"members"`
}

// condemned is a replica that must never run again, and why.
type condemned struct {
	Replica uint64 `json:"replica"`
	Why     string `json:"why"`
}

const identityFile = "identity.json"

func loadIdentity(fsys vfs.FS, dir string) (identity, error) {
	var id identity
	f, err := fsys.Open(fsys.PathJoin(dir, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return id, nil
	}
	if err != nil {
		return id, fmt.Errorf("engine: open identity: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err == nil {
		err = json.Unmarshal(b, &id)
	}
	if err != nil {
		return id, fmt.Errorf("engine: read %s: %w", fsys.PathJoin(dir, identityFile), err)
	}
	return id, nil
}

// save writes the identity durably: a crash leaves the old one or the new one.
func (id identity) save(fsys vfs.FS, dir string) error {
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b, err := json.Marshal(id)
	if err != nil {
		return err
	}
	tmp := fsys.PathJoin(dir, identityFile+".tmp")
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
	if err := fsys.Rename(tmp, fsys.PathJoin(dir, identityFile)); err != nil {
		return err
	}
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
