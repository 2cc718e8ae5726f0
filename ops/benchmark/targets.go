package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tallymq/tallymq/internal/freeport"
	"github.com/tallymq/tallymq/ops/local"
)

// startWait bounds a target's start.
const startWait = 2 * time.Minute

func ours(o options, nodes int) target {
	return target{name: fmt.Sprintf("tallymq-%d", nodes), start: func(dir string) ([]string, func(), error) {
		c, err := local.New(o.bin, dir, nodes, "--journal-segment-bytes", "256MiB", "--reserve-bytes", "512MiB")
		if err != nil {
			return nil, nil, err
		}
		stop := func() { _ = c.Each((*local.Process).Kill) }
		if err := c.Each((*local.Process).Start); err != nil {
			stop()
			return nil, nil, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), startWait)
		defer cancel()
		if err := c.Ready(ctx); err != nil {
			stop()
			return nil, nil, err
		}
		return c.Bootstrap(), stop, nil
	}}
}

// kafkaWarmup lets the Java virtual machine compile what it will run: the first
// half-minute is half as fast.
const kafkaWarmup = 30 * time.Second

// kafka is three KRaft brokers, each broker and controller.
func kafka(o options, name string, topic []string) target {
	return target{name: name, topic: topic, kafka: true, start: func(dir string) ([]string, func(), error) {
		var voters, bootstrap []string
		var ports [][2]string
		for i := range 3 {
			as, err := freeport.Addresses(2)
			if err != nil {
				return nil, nil, err
			}
			ports = append(ports, [2]string{port(as[0]), port(as[1])})
			voters = append(voters, fmt.Sprintf("%d@%s", i+1, as[1]))
			bootstrap = append(bootstrap, as[0])
		}
		var running []*exec.Cmd
		stop := func() {
			for _, c := range running {
				_ = c.Process.Kill()
				_ = c.Wait()
			}
		}
		for i, p := range ports {
			home := filepath.Join(dir, fmt.Sprint(i+1))
			if err := os.MkdirAll(home, 0o755); err != nil {
				return nil, stop, err
			}
			file := filepath.Join(home, "server.properties")
			if err := os.WriteFile(file, []byte(properties(i+1, p, home, voters)), 0o644); err != nil {
				return nil, stop, err
			}
			java := func(heap, class string, args ...string) *exec.Cmd {
				c := exec.Command("java", append([]string{"-Xms" + heap, "-Xmx" + heap, "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-cp", filepath.Join(o.kafka, "*"), class}, args...)...)
				out, err := os.OpenFile(filepath.Join(home, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
				if err == nil {
					c.Stdout, c.Stderr = out, out
				}
				return c
			}
			if err := java("256m", "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", file).Run(); err != nil {
				return nil, stop, fmt.Errorf("format: %w (see %s/log)", err, home)
			}
			c := java("1g", "kafka.Kafka", file)
			if err := c.Start(); err != nil {
				return nil, stop, err
			}
			running = append(running, c)
		}
		// Up when a warm-up on a topic of its own works; that also compiles the hot paths.
		end := time.Now().Add(startWait)
		for {
			warm := exec.Command(o.bin, "bench", "produce", "single64", "--json", "--topic", "warmup", "--bootstrap", strings.Join(bootstrap, ","), "--warmup", "0s", "--duration", (kafkaWarmup / 2).String())
			err := warm.Run()
			if err == nil {
				return bootstrap, stop, nil
			}
			if time.Now().After(end) {
				stop()
				return nil, nil, fmt.Errorf("kafka does not answer: %w", err)
			}
			time.Sleep(time.Second)
		}
	}}
}

func properties(id int, ports [2]string, home string, voters []string) string {
	return fmt.Sprintf(`process.roles=broker,controller
node.id=%d
controller.quorum.voters=%s
listeners=PLAINTEXT://127.0.0.1:%s,CONTROLLER://127.0.0.1:%s
advertised.listeners=PLAINTEXT://127.0.0.1:%s
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=%s/data
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
group.initial.rebalance.delay.ms=0
`, id, strings.Join(voters, ","), ports[0], ports[1], ports[0], home)
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }
