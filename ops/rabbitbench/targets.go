package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/tallymq/tallymq/internal/freeport"
	"github.com/tallymq/tallymq/ops/local"
)

const (
	nodes     = 3
	startWait = 2 * time.Minute
	rabbitBin = "/usr/lib/rabbitmq/bin/" // Debian's; those in the path insist on a user
)

func ours(bin string) target {
	return target{name: "tallymq", start: func(dir string) ([]string, func(), error) {
		c, err := local.New(bin, dir, nodes, "--journal-segment-bytes", "256MiB", "--reserve-bytes", "512MiB")
		if err != nil {
			return nil, nil, err
		}
		stop := func() { _ = c.Each((*local.Process).Kill) }
		ctx, cancel := context.WithTimeout(context.Background(), startWait)
		defer cancel()
		if err = c.Each((*local.Process).Start); err == nil {
			err = c.Ready(ctx)
		}
		if err != nil {
			stop()
			return nil, nil, err
		}
		return c.RabbitURLs(), stop, nil
	}}
}

func installed() bool {
	_, err := os.Stat(rabbitBin + "rabbitmq-server")
	return err == nil
}

// rabbit is three nodes of RabbitMQ in one cluster, with quorum queues.
func rabbit() target {
	return target{name: "rabbitmq", args: map[string]any{"x-queue-type": "quorum"}, start: func(dir string) ([]string, func(), error) {
		if err := os.WriteFile(filepath.Join(dir, ".erlang.cookie"), []byte("tallymqbench"), 0o400); err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "plugins"), []byte("[]."), 0o644); err != nil {
			return nil, nil, err
		}
		addresses, err := freeport.Addresses(2 * nodes)
		if err != nil {
			return nil, nil, err
		}
		var running []*exec.Cmd
		stop := func() {
			for i := range running {
				_ = control(dir, i, "stop").Run()
			}
			for _, c := range running {
				_ = c.Process.Kill()
				_ = c.Wait()
			}
		}
		var urls []string
		for i := range nodes {
			amqpPort, distPort := port(addresses[2*i]), port(addresses[2*i+1])
			c := exec.Command(rabbitBin + "rabbitmq-server")
			c.Env = append(os.Environ(), "HOME="+dir, "RABBITMQ_NODENAME="+nodeName(i), "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+amqpPort, "RABBITMQ_DIST_PORT="+distPort,
				"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"), fmt.Sprintf("RABBITMQ_PID_FILE=%s/%d.pid", dir, i),
				"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"))
			if err := c.Start(); err != nil {
				stop()
				return nil, nil, err
			}
			running = append(running, c)
			urls = append(urls, "amqp://guest:guest@127.0.0.1:"+amqpPort+"/")
			if err := answers(urls[i]); err != nil {
				stop()
				return nil, nil, err
			}
			if i == 0 {
				continue
			}
			for _, args := range [][]string{{"stop_app"}, {"join_cluster", nodeName(0)}, {"start_app"}} {
				if out, err := control(dir, i, args...).CombinedOutput(); err != nil {
					stop()
					return nil, nil, fmt.Errorf("rabbitmqctl %v: %w: %s", args, err, out)
				}
			}
			if err := answers(urls[i]); err != nil {
				stop()
				return nil, nil, err
			}
		}
		return urls, stop, nil
	}}
}

func nodeName(i int) string { return fmt.Sprintf("bench%d@localhost", i+1) }

func control(dir string, node int, args ...string) *exec.Cmd {
	c := exec.Command(rabbitBin+"rabbitmqctl", append([]string{"-n", nodeName(node)}, args...)...)
	c.Env = append(os.Environ(), "HOME="+dir)
	return c
}

// answers waits until a node takes connections.
func answers(url string) error {
	return local.Insist(startWait, func() error {
		c, err := amqp.Dial(url)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

func port(address string) string {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == ':' {
			return address[i+1:]
		}
	}
	return address
}
