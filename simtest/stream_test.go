package simtest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// echo answers every line with the same line. It is main of a node.
func echo(p *Process) error {
	l, err := p.Host.Listen("tcp", ":7")
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					if _, err := c.Write([]byte(line)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return nil
}

// TestStreamClientsAndServer: clients of two nodes, under a plan; an answer is
// always the line that was asked for, whole.
func TestStreamClientsAndServer(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, seedFromEnv(t, 1), func(w *World) {
		nodes, clients := []string{"n1", "n2"}, []string{"c1", "c2", "c3"}
		s := NewSupervisor(w, echo)
		for _, name := range nodes {
			s.Start(w.Process(name))
		}
		plan := NewPlan(w.Rand("plan"), PlanConfig{
			Nodes: nodes, Clients: clients, Length: 30 * time.Second, Every: time.Second,
			Verbs: slices.Concat(ProcessVerbs, NetworkVerbs), BrokenMax: 1,
		})
		var mu sync.Mutex
		answers := map[string]int{}
		for _, name := range clients {
			p := w.Process(name)
			p.Start(func() error {
				for n := 0; ; n++ {
					err := ask(p, nodes[n%2]+":7", fmt.Sprintf("%s-%d-%s", name, n, strings.Repeat("x", n%50*40)))
					w.Result(name, "%d: %v", n, err)
					if n == 20 && os.Getenv("TALLYMQ_SIM_PLANT") != "" {
						w.Result(name, "planted: one event more")
					}
					time.Sleep(5 * time.Millisecond)
					if err == nil {
						mu.Lock()
						answers[name]++
						mu.Unlock()
					}
				}
			})
		}
		s.Apply(plan)
		mu.Lock()
		before := map[string]int{}
		for k, v := range answers {
			before[k] = v
		}
		mu.Unlock()
		time.Sleep(20 * time.Second)
		for _, name := range clients {
			if answers[name] <= before[name] {
				w.Anomaly("no-progress", name, "no answer after the faults ended")
			}
		}
	})
}

// ask sends a few lines over one stream and checks the answers.
func ask(p *Process, address, line string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c, err := p.Host.Dial(ctx, "tcp", address)
	if err != nil {
		time.Sleep(50 * time.Millisecond)
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	in := bufio.NewReader(c)
	for range 5 {
		if _, err := c.Write([]byte(line + "\n")); err != nil {
			return err
		}
		got, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if got != line+"\n" {
			p.w.Anomaly("wrong-answer", p.Name(), "asked %q, got %q", line, got)
		}
	}
	return nil
}

// toyBroker is a Kafka broker of one partition without any promise: enough for an
// unmodified client to produce through the simulated network.
func toyBroker(p *Process, got func(batch []byte) int64) error {
	l, err := p.Host.Listen("tcp", ":9092")
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveToy(c, got)
		}
	}()
	return nil
}

func serveToy(c net.Conn, got func(batch []byte) int64) {
	defer c.Close()
	for {
		req, id, err := readRequest(c)
		if err != nil {
			return
		}
		resp := req.ResponseKind()
		switch r := req.(type) {
		case *kmsg.ApiVersionsRequest:
			v := resp.(*kmsg.ApiVersionsResponse)
			for _, k := range []struct{ key, max int16 }{{0, 9}, {3, 9}, {18, 3}, {22, 4}} {
				a := kmsg.NewApiVersionsResponseApiKey()
				a.ApiKey, a.MaxVersion = k.key, k.max
				v.ApiKeys = append(v.ApiKeys, a)
			}
		case *kmsg.MetadataRequest:
			toyMetadata(resp.(*kmsg.MetadataResponse))
		case *kmsg.InitProducerIDRequest:
			resp.(*kmsg.InitProducerIDResponse).ProducerID = 7
		case *kmsg.ProduceRequest:
			t := kmsg.NewProduceResponseTopic()
			t.Topic = r.Topics[0].Topic
			part := kmsg.NewProduceResponseTopicPartition()
			part.BaseOffset = got(r.Topics[0].Partitions[0].Records)
			t.Partitions = append(t.Partitions, part)
			resp.(*kmsg.ProduceResponse).Topics = append(resp.(*kmsg.ProduceResponse).Topics, t)
		default:
			return
		}
		if err := writeResponse(c, id, resp); err != nil {
			return
		}
	}
}

func toyMetadata(m *kmsg.MetadataResponse) {
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = 1, "n1", 9092
	m.Brokers = append(m.Brokers, b)
	t := kmsg.NewMetadataResponseTopic()
	t.Topic = kmsg.StringPtr("t")
	part := kmsg.NewMetadataResponseTopicPartition()
	part.Leader, part.Replicas, part.ISR = 1, []int32{1}, []int32{1}
	t.Partitions = append(t.Partitions, part)
	m.Topics = append(m.Topics, t)
}

// TestFranzGoProduces: an unmodified franz-go client produces through a network
// that resets its streams, and every record it was told of is there.
func TestFranzGoProduces(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, seedFromEnv(t, 1), func(w *World) {
		var mu sync.Mutex
		batches := 0
		n1, c1 := w.Process("n1"), w.Process("c1")
		n1.Start(func() error {
			return toyBroker(n1, func([]byte) int64 { mu.Lock(); defer mu.Unlock(); batches++; return int64(batches - 1) })
		})
		acked := 0
		done := c1.Start(func() error {
			cl, err := kgo.NewClient(kgo.SeedBrokers("n1:9092"), kgo.Dialer(c1.Host.Dial), kgo.DefaultProduceTopic("t"),
				kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
			if err != nil {
				return err
			}
			defer cl.Close()
			for i := range 100 {
				err := cl.ProduceSync(context.Background(), kgo.StringRecord(fmt.Sprint(i))).FirstErr()
				w.Result("c1", "%d: %v", i, err)
				if err == nil {
					acked++
				}
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		})
		go func() {
			for range 10 {
				time.Sleep(100 * time.Millisecond)
				w.Net.ResetStreams("c1", "n1", 0.5)
			}
		}()
		if err := c1.Await(done); err != nil {
			t.Error(err)
		}
		if acked != 100 || batches < 100 {
			t.Errorf("%d acknowledged, %d batches arrived", acked, batches)
		}
	})
}
