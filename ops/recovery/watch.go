package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tallymq/tallymq/ops/local"
)

// cluster is what one node says of all, as far as it is needed here.
type cluster struct {
	Shards []struct {
		ID       int
		Leader   int
		Replicas []struct {
			Node    int
			State   string
			Applied uint64
			Whole   bool
			Damaged string
		}
	}
}

// ask reads the cluster as a node knows it; its own replicas' figures are of now.
func ask(p *local.Process) (c cluster, err error) {
	b, err := get(p, "/v1/cluster")
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	return c, err
}

func get(p *local.Process, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Admin+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("node %d: %w", p.ID, err)
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// applied is how far a node applied each shard that it hosts, and whether all of it is whole and votes.
func (c cluster) applied(node int) (at map[int]uint64, settled bool) {
	at, settled = map[int]uint64{}, true
	for _, s := range c.Shards {
		n := 0
		for _, r := range s.Replicas {
			if r.Node == node {
				n++
				at[s.ID] = r.Applied
				settled = settled && r.State == "voting" && r.Whole && r.Damaged == ""
			}
		}
		settled = settled && n == 1
	}
	return at, settled && len(c.Shards) > 1
}

// caughtUp says whether a node is whole, votes everywhere, and has applied what another had a moment before.
func (r *run) caughtUp(p, other *local.Process) bool {
	theirs, err := ask(other)
	if err != nil {
		return false
	}
	time.Sleep(pollEvery)
	ours, err := ask(p)
	if err != nil {
		return false
	}
	want, _ := theirs.applied(other.ID)
	got, settled := ours.applied(p.ID)
	if _, s := theirs.applied(p.ID); !s || !settled {
		return false // as either of them knows it
	}
	for shard, index := range want {
		if got[shard] < index {
			return false
		}
	}
	return true
}

// written is what a node wrote to its journal since it started; false: it does not answer (yet).
func written(p *local.Process) (int64, bool) {
	b, err := get(p, "/metrics")
	if err != nil {
		return 0, false
	}
	lines := bufio.NewScanner(strings.NewReader(string(b)))
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), "tallymq_journal_written_bytes_total "); ok {
			n, err := strconv.ParseFloat(v, 64)
			return int64(n), err == nil
		}
	}
	return 0, false
}

// received is what a node's process read, from sockets and files, since it started, as the kernel counts.
func received(p *local.Process) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.PID()))
	if err != nil {
		return 0
	}
	var n int64
	_, _ = fmt.Sscanf(string(b), "rchar: %d", &n)
	return n
}

var pulledRE = regexp.MustCompile(`replica is whole.* pulled=(\d+)`)

// pulled sums the payload bytes that a node says it pulled, from a place in its log on.
func (r *run) pulled(p *local.Process, from int64) (sum int64, err error) {
	b, err := os.ReadFile(p.Log())
	if err != nil {
		return 0, err
	}
	for _, m := range pulledRE.FindAllSubmatch(b[min(from, int64(len(b))):], -1) {
		n, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
