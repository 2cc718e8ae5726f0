package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tallymq/tallymq/ops/admin"
	"github.com/tallymq/tallymq/ops/config"
	"github.com/tallymq/tallymq/ops/node"
)

// serve starts a node and runs it until a signal.
type serve struct {
	File          configFile `name:"config" short:"c" placeholder:"FILE" help:"YAML file with any of the keys below; flags and environment win over it."`
	config.Config `embed:""`
}

// configFile is resolved before the other flags, so that the file is below them.
type configFile string

// BeforeResolve makes the file a source of values.
func (f configFile) BeforeResolve(k *kong.Kong, ctx *kong.Context, trace *kong.Path) error {
	path := string(ctx.FlagValue(trace.Flag).(configFile))
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	values, err := config.ReadFile(in)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		return values[flag.Name], nil
	}))
	return nil
}

// Run is the life of a node.
func (s *serve) Run() error {
	cfg := &s.Config
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("configuration:\n%w", err)
	}
	log := logger(cfg)
	if cfg.MemoryLimit > 0 {
		debug.SetMemoryLimit(int64(cfg.MemoryLimit))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	n, err := node.Start(ctx, cfg, node.OS(cfg.DirectIO), log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cfg.AdminListen)
	if err != nil {
		return closeAfter(n, cfg, fmt.Errorf("admin-listen: %w", err))
	}
	adm := admin.Serve(n, listener)
	banner(cfg, n, adm)
	go announce(ctx, n)
	select {
	case <-ctx.Done():
		stop() // a second signal ends the process at once
		fmt.Fprintf(os.Stderr, "stopping: finishing what is in flight, at most %v; another signal stops at once\n", cfg.ShutdownTime)
		err = nil
	case err = <-n.Fatal():
		err = fmt.Errorf("node %d stops, since it cannot go on safely: %w", cfg.NodeID, err)
	case err = <-n.Engine.Fatal():
		err = fmt.Errorf("node %d stops, since it cannot go on safely: %w", cfg.NodeID, err)
	}
	c, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = adm.Close(c)
	return closeAfter(n, cfg, err)
}

// closeAfter stops the node, gracefully as far as the time allows. When the time is over
// the process ends: everything acknowledged is on disk whatever happens.
func closeAfter(n *node.Node, cfg *config.Config, err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), cfg.ShutdownTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- n.Close(ctx) }()
	select {
	case cerr := <-done:
		if err == nil {
			err = cerr
		}
	case <-time.After(cfg.ShutdownTime + time.Second):
		fmt.Fprintln(os.Stderr, "stopped before everything was closed; nothing acknowledged is lost by that")
	}
	return err
}

// banner tells where everything is.
func banner(cfg *config.Config, n *node.Node, adm *admin.Server) {
	fmt.Printf(`tallymq %s  node %d
  kafka    %v   amqp %v
  admin    http://%v  (/healthz /readyz /metrics /v1/cluster)
  raft     %s   rpc %s
  data     %s
  Every acknowledgement means: fsynced by a majority and applied.
`, node.Version, cfg.NodeID, n.KafkaAddr(), amqpAddr(n), adm.Addr(), cfg.RaftListen, cfg.RPCListen, cfg.DataDir)
}

// amqpAddr is for the banner.
func amqpAddr(n *node.Node) string {
	if a := n.AMQPAddr(); a != nil {
		return a.String()
	}
	return "off"
}

// announce says once that clients can be served, or every while why not yet.
func announce(ctx context.Context, n *node.Node) {
	began, said := time.Now(), time.Now()
	for ctx.Err() == nil {
		err := n.Engine.Ready()
		if err == nil {
			fmt.Printf("ready after %v\n", time.Since(began).Round(time.Millisecond))
			return
		}
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			fmt.Printf("not ready yet: %v\n", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func logger(cfg *config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // the flag allows only known levels
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opts))
}
