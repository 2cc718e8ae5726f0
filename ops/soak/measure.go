package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tallymq/tallymq/ops/local"
)

// sample is one process at one moment. Sizes are in bytes.
type sample struct {
	at              time.Time
	rss, rssPeak    float64 // as the kernel counts
	heap            float64 // live objects, and garbage not yet collected
	stacks, runtime float64 // goroutine stacks; all that the Go runtime took and did not return
	goroutines      float64
	cpu             float64 // seconds used since the start
}

// take reads a sample as it is now.
func take(p *local.Process) (s sample, err error) {
	s.at = time.Now()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		v, _ := strconv.ParseFloat(f[1], 64) // lines that are no number are not asked for
		switch f[0] {
		case "VmRSS:":
			s.rss = v * kib
		case "VmHWM:":
			s.rssPeak = v * kib
		}
	}
	m, err := metrics(p)
	if err != nil {
		return s, err
	}
	s.heap, s.stacks, s.goroutines = m["go_memstats_heap_alloc_bytes"], m["go_memstats_stack_inuse_bytes"], m["go_goroutines"]
	s.runtime = m["go_memstats_sys_bytes"] - m["go_memstats_heap_released_bytes"]
	s.cpu = m["process_cpu_seconds_total"]
	return s, nil
}

// metrics reads the admin port's figures that have no labels.
func metrics(p *local.Process) (map[string]float64, error) {
	body, err := get(p, "/metrics")
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && name != "#" {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				out[name] = v
			}
		}
	}
	return out, lines.Err()
}

func get(p *local.Process, path string) (string, error) {
	c, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(c, http.MethodGet, "http://"+p.Admin+path, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("node %d: %w", p.ID, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "", fmt.Errorf("node %d: %w", p.ID, err)
	}
	return string(b), nil
}

// settled waits until work in the background is done, collects garbage, and reads a sample.
func settled(p *local.Process) (sample, error) {
	time.Sleep(settleWait)
	for range 2 { // the second collection frees what pools and finalizers held
		if _, err := get(p, "/debug/pprof/heap?gc=1"); err != nil {
			return sample{}, err
		}
	}
	return take(p)
}

// idle is the share of one core that each node uses with nothing to do.
func idle(c *local.Cluster) ([]float64, error) {
	before, err := each(c, take)
	if err != nil {
		return nil, err
	}
	time.Sleep(idleSeconds * time.Second)
	after, err := each(c, take)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(before))
	for i := range before {
		out[i] = (after[i].cpu - before[i].cpu) / after[i].at.Sub(before[i].at).Seconds()
	}
	return out, nil
}

// each samples all nodes, at once.
func each(c *local.Cluster, f func(*local.Process) (sample, error)) ([]sample, error) {
	out := make([]sample, len(c.Nodes))
	err := c.Each(func(p *local.Process) (err error) {
		out[p.ID-1], err = f(p)
		return err
	})
	return out, err
}
