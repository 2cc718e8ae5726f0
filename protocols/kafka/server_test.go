package kafka_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/kafka"
	"github.com/tallymq/tallymq/protocols/kafka/kafkatest"
	"github.com/twmb/franz-go/pkg/kgo"
)

// world is a server on a port of this machine before a broker in memory.
type world struct {
	t       *testing.T
	broker  *kafkatest.Broker
	server  *kafka.Server
	address string
	log     *lines
}

// lines keeps what was logged.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWorld(t *testing.T, limits kafka.Limits, prepare ...func(*kafkatest.Broker)) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := l.Addr().(*net.TCPAddr)
	b := kafkatest.New(broker.Endpoint{Host: "127.0.0.1", Port: int32(a.Port)})
	for _, p := range prepare {
		p(b)
	}
	w := &world{t: t, broker: b, address: l.Addr().String(), log: &lines{}}
	w.server, err = kafka.NewServer(kafka.Options{Broker: b, Limits: limits, Logger: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(l) }()
	t.Cleanup(func() {
		w.server.Close()
		if err := <-served; err != kafka.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
		if n := w.server.Stats().Connections; n != 0 {
			t.Errorf("%d connections after Close", n)
		}
	})
	return w
}

func (w *world) topic(name string, partitions int32) *broker.Topic {
	w.t.Helper()
	t, err := w.broker.CreateTopic(context.Background(), broker.Client{}, broker.TopicSpec{Name: name, Partitions: partitions, ReplicationFactor: -1})
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

func (w *world) client(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(w.address)}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// within gives a context that a hanging test is ended by; nothing is judged by it.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func (w *world) dial() net.Conn {
	w.t.Helper()
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	w.t.Cleanup(func() { c.Close() })
	return c
}

// closed reads until the server closes, and returns what came before.
func closed(t *testing.T, c net.Conn) []byte {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset by peer") {
		t.Fatalf("the connection is still open: %v", err)
	}
	return b
}
