package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ClusterStatus shows the cluster as one node knows it.
type ClusterStatus struct {
	Admin string `default:"http://127.0.0.1:8080" env:"TALLYMQ_ADMIN" help:"Admin address of any node."`
	JSON  bool   `name:"json" help:"Print JSON instead of tables."`
}

// clusterState is what /v1/cluster answers.
type clusterState struct {
	ClusterID string `json:"cluster_id"`
	Self      int32  `json:"self"`
	Catalog   uint64 `json:"catalog_version"`
	Nodes     []struct {
		ID    int32  `json:"id"`
		Alive bool   `json:"alive"`
		Kafka string `json:"kafka"`
		Raft  string `json:"raft"`
		Space string `json:"space"`
	} `json:"nodes"`
	Shards []struct {
		ID         uint64 `json:"id"`
		Leader     int32  `json:"leader"`
		Term       uint64 `json:"term"`
		Partitions int    `json:"partitions"`
		Replicas   []struct {
			Node    int32  `json:"node"`
			Replica uint64 `json:"replica"`
			State   string `json:"state"`
			Applied uint64 `json:"applied"`
			Whole   bool   `json:"whole"`
			Damaged string `json:"damaged"`
		} `json:"replicas"`
	} `json:"shards"`
	Damages []string `json:"damages"`
}

// statusTimeout bounds the question.
const statusTimeout = 10 * time.Second

// Run shows it.
func (c *ClusterStatus) Run() error {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.Admin, "/")+"/v1/cluster", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.Admin, err)
	}
	defer res.Body.Close()
	var s clusterState
	var raw json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
		return fmt.Errorf("answer of %s: %w", c.Admin, err)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("answer of %s: %w", c.Admin, err)
	}
	g := &Globals{JSON: c.JSON}
	if c.JSON {
		return g.Print(raw, nil, nil)
	}
	fmt.Fprintf(g.out(), "cluster %s, as node %d knows it (catalog version %d)\n\n", s.ClusterID, s.Self, s.Catalog)
	var rows [][]string
	for _, n := range s.Nodes {
		alive := "yes"
		if !n.Alive {
			alive = "NO"
		}
		rows = append(rows, []string{fmt.Sprint(n.ID), alive, n.Kafka, n.Raft, n.Space})
	}
	if err := g.Print(nil, []string{"NODE", "ALIVE", "KAFKA", "RAFT", "SPACE"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(g.out())
	rows = nil
	for _, x := range s.Shards {
		for _, r := range x.Replicas {
			note := r.State
			if r.Node == x.Leader {
				note = "leader"
			}
			if !r.Whole && r.State != "removing" && r.Damaged == "" {
				note += ", payloads being pulled"
			}
			if r.Damaged != "" {
				note += ", damaged: " + r.Damaged
			}
			rows = append(rows, []string{fmt.Sprint(x.ID), fmt.Sprint(x.Term), fmt.Sprint(x.Partitions), fmt.Sprint(r.Node), fmt.Sprint(r.Replica), fmt.Sprint(r.Applied), note})
		}
	}
	if err := g.Print(nil, []string{"SHARD", "TERM", "PARTITIONS", "NODE", "REPLICA", "APPLIED", "STATE"}, rows); err != nil {
		return err
	}
	for _, d := range s.Damages {
		fmt.Fprintf(g.out(), "\ndamage: %s\n", d)
	}
	return nil
}
