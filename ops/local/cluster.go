package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tallymq/tallymq/internal/freeport"
)

// Process is one node as a process of its own.
type Process struct {
	ID                      int
	Kafka, Admin, Raft, RPC string
	AMQP                    string
	args                    []string
	bin, dir                string

	mu  sync.Mutex
	cmd *exec.Cmd
	end chan error
}

// Cluster is all of them.
type Cluster struct{ Nodes []*Process }

// New prepares n nodes that begin together; nothing runs yet.
func New(bin, dir string, n int, extra ...string) (*Cluster, error) {
	c := &Cluster{}
	var initial []string
	for i := range n {
		p := &Process{ID: i + 1, bin: bin, dir: filepath.Join(dir, fmt.Sprintf("node%d", i+1))}
		a, err := freeport.Addresses(5)
		if err != nil {
			return nil, err
		}
		p.Kafka, p.Admin, p.Raft, p.RPC, p.AMQP = a[0], a[1], a[2], a[3], a[4]
		initial = append(initial, fmt.Sprintf("%d=%s/%s", p.ID, p.Raft, p.RPC))
		c.Nodes = append(c.Nodes, p)
	}
	for _, p := range c.Nodes {
		p.args = append([]string{"serve", "--node-id", fmt.Sprint(p.ID), "--data-dir", p.dir, "--kafka-listen", p.Kafka, "--amqp-listen", p.AMQP, "--admin-listen", p.Admin,
			"--raft-listen", p.Raft, "--rpc-listen", p.RPC, "--initial-cluster", strings.Join(initial, ","), "--log-level", "warn",
			"--journal-segment-bytes", "16MiB", "--reserve-bytes", "64MiB", "--group-initial-rebalance-delay", "0s"}, extra...)
	}
	return c, nil
}

// Start starts the process; its output goes to a file.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(p.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd = exec.Command(p.bin, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return err
	}
	end := make(chan error, 1)
	p.end = end
	go func(c *exec.Cmd) { end <- c.Wait() }(p.cmd)
	return nil
}

// Kill sends SIGKILL and waits until the process is gone.
func (p *Process) Kill() error { return p.signal(syscall.SIGKILL) }

func (p *Process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.end
	p.cmd = nil
	return nil
}

// PID is the process's id; 0: it does not run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Died says whether the process ended by itself.
func (p *Process) Died() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	select {
	case err := <-p.end:
		p.cmd = nil
		return fmt.Errorf("node %d ended by itself: %v (see %s.log)", p.ID, err, p.dir)
	default:
		return nil
	}
}

// Each does f with every node at once.
func (c *Cluster) Each(f func(*Process) error) error {
	errs := make([]error, len(c.Nodes))
	var wg sync.WaitGroup
	for i, p := range c.Nodes {
		wg.Add(1)
		go func() { defer wg.Done(); errs[i] = f(p) }()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Ready waits until every node can serve.
func (c *Cluster) Ready(ctx context.Context) error {
	return c.Each(func(p *Process) error {
		for {
			if err := p.Died(); err != nil {
				return err
			}
			if res, err := get(ctx, p.Admin, "/readyz"); err == nil && res.StatusCode == http.StatusOK {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("node %d is not ready: %w", p.ID, ctx.Err())
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

func get(ctx context.Context, admin, path string) (*http.Response, error) {
	c, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(c, http.MethodGet, "http://"+admin+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return res, res.Body.Close()
}

// Leaders counts the shards that each node leads, as any node knows it.
func (c *Cluster) Leaders(ctx context.Context) map[int]int {
	out := map[int]int{}
	for _, p := range c.Nodes {
		cc, cancel := context.WithTimeout(ctx, time.Second)
		req, _ := http.NewRequestWithContext(cc, http.MethodGet, "http://"+p.Admin+"/v1/cluster", nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			cancel()
			continue
		}
		var s struct {
			Shards []struct {
				Leader int `json:"leader"`
			} `json:"shards"`
		}
		err = json.NewDecoder(res.Body).Decode(&s)
		_ = res.Body.Close()
		cancel()
		if err != nil {
			continue
		}
		for _, x := range s.Shards {
			out[x.Leader]++
		}
		return out
	}
	return out
}

// Bootstrap lists the Kafka addresses.
func (c *Cluster) Bootstrap() []string {
	var out []string
	for _, p := range c.Nodes {
		out = append(out, p.Kafka)
	}
	return out
}

// Set changes a flag (without dashes) of the next start.
func (p *Process) Set(flag, value string) { p.args = append(p.args, "--"+flag, value) }

// Dir is the node's data-dir.
func (p *Process) Dir() string { return p.dir }

// Log is the file that the process's output goes to.
func (p *Process) Log() string { return p.dir + ".log" }
