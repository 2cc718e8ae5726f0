package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/engine"
)

// rebuild sets a stopped node's stores aside, so that its next start gets everything from
// its peers under new replica ids. It first asks a healthy peer that nothing is lost by it.
type rebuild struct {
	NodeID  int32  `required:"" help:"Id of the node to rebuild; it must be stopped."`
	DataDir string `default:"./data" help:"Its data folder."`
	Admin   string `required:"" placeholder:"URL" help:"Admin address of a healthy node of the cluster, for example http://127.0.0.1:8081."`
}

// askTimeout bounds the question to the peer.
const askTimeout = 10 * time.Second

// Run checks and sets aside.
func (r *rebuild) Run() error {
	if _, err := os.Stat(filepath.Join(r.DataDir, "identity.json")); err != nil {
		return fmt.Errorf("%s holds no node: %w", r.DataDir, err)
	}
	lock, err := vfs.Default.Lock(filepath.Join(r.DataDir, "LOCK"))
	if err != nil {
		return fmt.Errorf("%s is in use: stop the node first: %w", r.DataDir, err)
	}
	defer lock.Close()
	c, err := r.ask()
	if err != nil {
		return err
	}
	if err := safeWithout(c, r.NodeID); err != nil {
		return fmt.Errorf("not rebuilt: %w; this node may hold the last good copy", err)
	}
	aside := filepath.Join(r.DataDir, "aside-"+time.Now().UTC().Format("20060102T150405Z"))
	if err := os.Mkdir(aside, 0o755); err != nil {
		return err
	}
	// The identity stays: it names the replicas that were here, and a start that does not
	// find their logs calls them lost.
	for _, name := range []string{"journal", "rows", "raft"} {
		if err := os.Rename(filepath.Join(r.DataDir, name), filepath.Join(aside, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	fmt.Printf("node %d: journal, rows and raft are in %s; start the node, and delete that folder once every replica is voting and whole\n", r.NodeID, aside)
	return nil
}

// ask gets the cluster as the peer knows it.
func (r *rebuild) ask() (*engine.ClusterState, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(r.Admin, "/")+"/v1/cluster", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask a healthy node: %w", err)
	}
	defer res.Body.Close()
	var c engine.ClusterState
	if err := json.NewDecoder(res.Body).Decode(&c); err != nil {
		return nil, fmt.Errorf("answer of %s: %w", r.Admin, err)
	}
	return &c, nil
}

// safeWithout refuses when a shard has no leader, or no majority of healthy voters, elsewhere.
func safeWithout(c *engine.ClusterState, node int32) error {
	if int32(c.Self) == node {
		return fmt.Errorf("the admin address is that of node %d itself", node)
	}
	alive := map[int32]bool{}
	for _, n := range c.Nodes {
		alive[int32(n.ID)] = n.Alive
	}
	if _, ok := alive[node]; !ok {
		return fmt.Errorf("node %d is not a member of cluster %s", node, c.ClusterID)
	}
	if alive[node] {
		return fmt.Errorf("node %d is still alive", node)
	}
	for _, s := range c.Shards {
		voters, good, here := 0, 0, false
		for _, r := range s.Replicas {
			here = here || int32(r.Node) == node
			if r.State != "voting" {
				continue
			}
			voters++
			if int32(r.Node) != node && alive[int32(r.Node)] && r.Whole && r.Damaged == "" {
				good++
			}
		}
		switch {
		case !here:
		case int32(s.Leader) == node || s.Leader <= 0:
			return fmt.Errorf("shard %d has no leader elsewhere", s.ID)
		case good < voters/2+1:
			return fmt.Errorf("shard %d has only %d healthy voters of %d elsewhere", s.ID, good, voters)
		}
	}
	return nil
}
