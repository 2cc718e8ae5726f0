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
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/ops/node"
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
	if _, err := os.Stat(filepath.Join(r.DataDir, "journal")); err != nil {
		return fmt.Errorf("%s holds no node: %w", r.DataDir, err)
	}
	lock, err := vfs.Default.Lock(filepath.Join(r.DataDir, "LOCK"))
	if err != nil {
		return fmt.Errorf("%s is in use: stop the node first: %w", r.DataDir, err)
	}
	defer lock.Close()
	// To be asked about another node than the one whose stores go would be the worst of mistakes.
	switch own, err := engine.NodeOf(vfs.Default, r.DataDir); {
	case errors.Is(err, engine.ErrIdentityDamaged):
		fmt.Printf("the identity in %s cannot be read; it is taken for that of node %d, as you say\n", r.DataDir, r.NodeID)
	case err != nil:
		return err
	case own != broker.NodeID(r.NodeID) && own != 0:
		return fmt.Errorf("not rebuilt: %s holds node %d, not node %d", r.DataDir, own, r.NodeID)
	}
	c, err := r.ask()
	if err != nil {
		return err
	}
	if err := c.SafeWithout(broker.NodeID(r.NodeID)); err != nil {
		return fmt.Errorf("not rebuilt: %w; this node may hold the last good copy", err)
	}
	aside, err := node.SetAside(vfs.Default, r.DataDir, time.Now())
	if err != nil {
		return err
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
