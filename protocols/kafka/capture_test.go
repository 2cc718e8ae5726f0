package kafka_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/kafka"
	"github.com/tallymq/tallymq/protocols/kafka/kafkatest"
)

// A capture is a text file: lines "N> hex" are requests that a real client sent on its connection N, "N< hex" what we
// answered, in the order in which they were seen; "# ..." says which client, and how to record it again:
//
//	go test ./protocols/kafka -run TestCaptureServe -serve 127.0.0.1:29092 -capture testdata/wire/NAME.txt -for 20s
//
// and meanwhile the client against that address.
var (
	serveOn   = flag.String("serve", "", "serve a broker in memory on this address")
	captureTo = flag.String("capture", "", "record what is said into this file")
	serveFor  = flag.Duration("for", time.Minute, "how long to serve")
)

// captureBroker is what captures are recorded and replayed against: the same from run to run.
func captureBroker() *kafkatest.Broker {
	b := kafkatest.New(broker.Endpoint{Host: "127.0.0.1", Port: 29092})
	b.Create = true
	_, err := b.CreateTopic(context.Background(), broker.Client{}, broker.TopicSpec{Name: "orders", Partitions: 2})
	if err != nil {
		panic(err)
	}
	return b
}

func TestCaptureServe(t *testing.T) {
	if *serveOn == "" {
		t.Skip("for recording: see -serve")
	}
	inner := newPipes()
	s, err := kafka.NewServer(kafka.Options{Broker: captureBroker()})
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(inner)
	l, err := net.Listen("tcp", *serveOn)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var out strings.Builder
	time.AfterFunc(*serveFor, func() { l.Close() })
	for n := 1; ; n++ {
		outside, err := l.Accept()
		if err != nil {
			break
		}
		inside := inner.dial()
		relay := func(mark string, from, to net.Conn) {
			defer to.Close()
			for {
				f, err := readWhole(from)
				if err != nil {
					return
				}
				mu.Lock()
				fmt.Fprintf(&out, "%d%s %x\n", n, mark, f)
				mu.Unlock()
				if _, err := to.Write(f); err != nil {
					return
				}
			}
		}
		go relay(">", outside, inside)
		go relay("<", inside, outside)
	}
	s.Close()
	if *captureTo != "" {
		mu.Lock()
		defer mu.Unlock()
		if err := os.WriteFile(*captureTo, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// readWhole reads a frame with its size.
func readWhole(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	f := append(head, make([]byte, binary.BigEndian.Uint32(head))...)
	_, err := io.ReadFull(r, f[4:])
	return f, err
}

// What real clients said, said again, gets the same bytes for an answer.
func TestCapturesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			cryptotest.SetGlobalRandom(t, 1) // session ids
			synctest.Test(t, func(t *testing.T) { replay(t, name, string(text)) })
		})
	}
}

func replay(t *testing.T, name, text string) {
	p := newPipes()
	s, err := kafka.NewServer(kafka.Options{Broker: captureBroker()})
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(p)
	defer s.Close()
	conns := map[string]net.Conn{}
	in := bufio.NewScanner(strings.NewReader(text))
	in.Buffer(nil, 1<<20)
	var got strings.Builder
	for line := 1; in.Scan(); line++ {
		who, rest, ok := strings.Cut(in.Text(), " ")
		if !ok || strings.HasPrefix(who, "#") {
			fmt.Fprintln(&got, in.Text())
			continue
		}
		n, mark := who[:len(who)-1], who[len(who)-1]
		b, err := hex.DecodeString(rest)
		if err != nil {
			t.Fatalf("%s:%d: %v", name, line, err)
		}
		if conns[n] == nil {
			conns[n] = p.dial()
		}
		if mark == '>' {
			if _, err := conns[n].Write(b); err != nil {
				t.Fatalf("%s:%d: %v", name, line, err)
			}
			fmt.Fprintln(&got, in.Text())
			continue
		}
		answer, err := readWhole(conns[n])
		if err != nil {
			t.Fatalf("%s:%d: %v", name, line, err)
		}
		if !bytes.Equal(answer, b) && !*rewriteCaptures {
			t.Errorf("%s:%d: the answer is\n%x, not\n%x", name, line, answer, b)
		}
		fmt.Fprintf(&got, "%s %x\n", who, answer)
	}
	for _, c := range conns {
		c.Close()
	}
	if *rewriteCaptures {
		if err := os.WriteFile(name, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var rewriteCaptures = flag.Bool("rewrite-captures", false, "rewrite the answers in testdata/wire")
