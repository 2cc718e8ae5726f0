package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one node as a process of its own.
type process struct {
	id                      int
	kafka, admin, raft, rpc string
	args                    []string
	bin, dir                string

	mu  sync.Mutex
	cmd *exec.Cmd
	end chan error
}

// cluster is all of them.
type cluster struct{ nodes []*process }

// newCluster prepares n nodes that begin together; nothing runs yet.
func newCluster(bin, dir string, n int, extra ...string) (*cluster, error) {
	c := &cluster{}
	var initial []string
	for i := range n {
		p := &process{id: i + 1, bin: bin, dir: filepath.Join(dir, fmt.Sprintf("node%d", i+1))}
		for _, a := range []*string{&p.kafka, &p.admin, &p.raft, &p.rpc} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			defer l.Close() // all are open until all are chosen, so that none is chosen twice
			*a = l.Addr().String()
		}
		initial = append(initial, fmt.Sprintf("%d=%s/%s", p.id, p.raft, p.rpc))
		c.nodes = append(c.nodes, p)
	}
	for _, p := range c.nodes {
		p.args = append([]string{"serve", "--node-id", fmt.Sprint(p.id), "--data-dir", p.dir, "--kafka-listen", p.kafka, "--admin-listen", p.admin,
			"--raft-listen", p.raft, "--rpc-listen", p.rpc, "--initial-cluster", strings.Join(initial, ","), "--log-level", "warn",
			"--journal-segment-bytes", "16MiB", "--reserve-bytes", "64MiB", "--group-initial-rebalance-delay", "0s"}, extra...)
	}
	return c, nil
}

// start starts the process; its output goes to a file.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(p.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
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

// kill sends SIGKILL and waits until the process is gone.
func (p *process) kill() error { return p.signal(syscall.SIGKILL) }

func (p *process) signal(s syscall.Signal) error {
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

// died says whether the process ended by itself.
func (p *process) died() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	select {
	case err := <-p.end:
		p.cmd = nil
		return fmt.Errorf("node %d ended by itself: %v (see %s.log)", p.id, err, p.dir)
	default:
		return nil
	}
}

func (c *cluster) each(f func(*process) error) error {
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, p := range c.nodes {
		wg.Add(1)
		go func() { defer wg.Done(); errs[i] = f(p) }()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// ready waits until every node can serve.
func (c *cluster) ready(ctx context.Context) error {
	return c.each(func(p *process) error {
		for {
			if err := p.died(); err != nil {
				return err
			}
			if res, err := get(ctx, p.admin, "/readyz"); err == nil && res.StatusCode == http.StatusOK {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("node %d is not ready: %w", p.id, ctx.Err())
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

// leaders counts the shards that each node leads, as any node knows it.
func (c *cluster) leaders(ctx context.Context) map[int]int {
	out := map[int]int{}
	for _, p := range c.nodes {
		cc, cancel := context.WithTimeout(ctx, time.Second)
		req, _ := http.NewRequestWithContext(cc, http.MethodGet, "http://"+p.admin+"/v1/cluster", nil)
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

func (c *cluster) bootstrap() []string {
	var out []string
	for _, p := range c.nodes {
		out = append(out, p.kafka)
	}
	return out
}
