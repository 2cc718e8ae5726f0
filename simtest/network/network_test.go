package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/raftpb"
	"golang.org/x/net/nettest"

	"github.com/tallymq/tallymq/simtest/trace"
)

// inNetwork runs a test in simulated time on a fresh network.
func inNetwork(t *testing.T, seed uint64, p Profile, f func(t *testing.T, n *Network)) {
	synctest.Test(t, func(t *testing.T) {
		f(t, New(trace.New(nil, nil), rand.New(rand.NewPCG(seed, 0)), p))
	})
}

// connect returns both ends of a stream from c1 to n1.
func connect(t *testing.T, n *Network) (near, far net.Conn) {
	t.Helper()
	l, err := n.Host("n1").Listen("tcp", ":9092")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = n.Host("c1").Dial(context.Background(), "tcp", "n1:9092")
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}

// TestConnIsANetConn runs the standard conformance tests of net.Conn, each in
// simulated time.
func TestConnIsANetConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		n := New(trace.New(nil, nil), rand.New(rand.NewPCG(1, 0)), Profile{DelayMin: time.Microsecond, Fragment: 0.5})
		l, err := n.Host("n1").Listen("tcp", ":1")
		if err != nil {
			return nil, nil, nil, err
		}
		if c1, err = n.Host("c1").Dial(context.Background(), "tcp", "n1:1"); err != nil {
			return nil, nil, nil, err
		}
		c2, err = l.Accept()
		return c1, c2, func() { c1.Close(); c2.Close(); l.Close() }, err
	})
}

func TestStreamIsWholeAndInOrder(t *testing.T) {
	p := Profile{DelayMin: time.Millisecond, DelayMean: 5 * time.Millisecond, Fragment: 0.9, BytesPerS: 10 << 20}
	inNetwork(t, 1, p, func(t *testing.T, n *Network) {
		near, far := connect(t, n)
		want := make([]byte, 300<<10) // more than the window
		rng := rand.New(rand.NewPCG(2, 0))
		for i := range want {
			want[i] = byte(rng.Uint32())
		}
		go func() {
			for rest := want; len(rest) > 0; {
				k := min(len(rest), 1+rng.IntN(9000))
				if _, err := near.Write(rest[:k]); err != nil {
					t.Error(err)
				}
				rest = rest[k:]
			}
			near.Close()
		}()
		got, err := io.ReadAll(far)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes of %d, %v", len(got), len(want), err)
		}
		far.Close()
	})
}

// TestBackPressure: a writer whose peer does not read blocks after one window.
func TestBackPressure(t *testing.T) {
	inNetwork(t, 1, LAN, func(t *testing.T, n *Network) {
		near, far := connect(t, n)
		near.SetWriteDeadline(time.Now().Add(time.Hour))
		k, err := near.Write(make([]byte, 10*windowBytes))
		if k != windowBytes || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, %v", k, err)
		}
		near.Close()
		far.Close()
	})
}

// TestCutHoldsBackAndHealDelivers, in one direction only.
func TestCutHoldsBackAndHealDelivers(t *testing.T) {
	inNetwork(t, 1, LAN, func(t *testing.T, n *Network) {
		near, far := connect(t, n)
		n.Cut("c1", "n1")
		must(near.Write([]byte("late")))
		must(far.Write([]byte("other way")))
		b := make([]byte, 100)
		if k := must(near.Read(b)); string(b[:k]) != "other way" {
			t.Errorf("got %q", b[:k])
		}
		far.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := far.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("over a cut link: %v", err)
		}
		far.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Minute)
			n.Heal("c1", "n1")
		}()
		if k := must(far.Read(b)); string(b[:k]) != "late" {
			t.Errorf("got %q", b[:k])
		}
		n.Clog("n1", "c1", time.Minute)
		start := time.Now()
		must(far.Write([]byte("clogged")))
		must(near.Read(b))
		if e := time.Since(start); e < time.Minute {
			t.Errorf("a clogged byte arrived after %v", e)
		}
		near.Close()
		far.Close()
	})
}

// TestResetCutsWithinFrames: what arrives before a reset is a prefix of what was
// sent, of any length.
func TestResetCutsWithinFrames(t *testing.T) {
	lengths := map[int]bool{}
	frame := []byte("0123456789abcdefghij")
	for seed := uint64(0); seed < 100; seed++ {
		inNetwork(t, seed, LAN, func(t *testing.T, n *Network) {
			near, far := connect(t, n)
			must(near.Write(frame))
			must(near.Write(frame))
			if n.ResetStreams("c1", "n1", 1) != 1 {
				t.Fatal("nothing reset")
			}
			got, err := io.ReadAll(far)
			if !errors.Is(err, syscall.ECONNRESET) || !bytes.HasPrefix(slices.Concat(frame, frame), got) {
				t.Errorf("seed %d: %q, %v", seed, got, err)
			}
			lengths[len(got)] = true
			if _, err := io.ReadAll(near); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("seed %d: the other end read %v", seed, err)
			}
			if _, err := near.Write(frame); err == nil {
				t.Error("a reset stream still takes bytes")
			}
			near.Close()
			far.Close()
		})
	}
	if !lengths[0] || len(lengths) < 20 {
		t.Errorf("only these lengths survive: %v", lengths)
	}
}

func TestDials(t *testing.T) {
	inNetwork(t, 1, LAN, func(t *testing.T, n *Network) {
		n1, c1 := n.Host("n1"), n.Host("c1")
		dial := func(limit time.Duration) (time.Duration, error) {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			start := time.Now()
			c, err := c1.Dial(ctx, "tcp", "n1:9092")
			if err == nil {
				c.Close()
			}
			return time.Since(start), err
		}
		if e, err := dial(time.Minute); !errors.Is(err, syscall.ECONNREFUSED) || e > time.Second {
			t.Errorf("nobody listens: %v after %v", err, e)
		}
		l := must(n1.Listen("tcp", ":9092"))
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		if _, err := dial(time.Minute); err != nil {
			t.Error(err)
		}
		n1.RefuseDials(true, false)
		if _, err := dial(time.Minute); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("refused: %v", err)
		}
		n1.RefuseDials(false, true)
		if e, err := dial(time.Minute); !errors.Is(err, context.DeadlineExceeded) || e != time.Minute {
			t.Errorf("hung: %v after %v", err, e)
		}
		n1.RefuseDials(false, false)
		n.Cut("n1", "c1") // the answer does not come back
		go func() {
			time.Sleep(10 * time.Second)
			n.Heal("n1", "c1")
		}()
		if e, err := dial(time.Minute); err != nil || e < 10*time.Second || e > 12*time.Second {
			t.Errorf("a dial goes on when the link heals: %v after %v", err, e)
		}
		var dns *net.DNSError
		if _, err := c1.Dial(context.Background(), "tcp", "n9:1"); !errors.As(err, &dns) {
			t.Errorf("no such host: %v", err)
		}
		if _, err := c1.Dial(context.Background(), "tcp", l.Addr().String()); err != nil {
			t.Errorf("by number: %v", err)
		}
		l.Close()
	})
}

// TestDown: a killed process resets its streams; a machine without power is silent
// until it comes back.
func TestDown(t *testing.T) {
	for _, silent := range []bool{false, true} {
		inNetwork(t, 1, LAN, func(t *testing.T, n *Network) {
			near, _ := connect(t, n)
			n.Host("n1").Down(silent)
			near.SetReadDeadline(time.Now().Add(time.Hour))
			_, err := near.Read(make([]byte, 1))
			want := error(syscall.ECONNRESET)
			if silent {
				want = os.ErrDeadlineExceeded
			}
			if !errors.Is(err, want) {
				t.Errorf("silent %v: %v", silent, err)
			}
			n.Host("n1").Up(2)
			near.SetReadDeadline(time.Now().Add(time.Hour))
			if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("after it came back: %v", err)
			}
			near.Close()
		})
	}
}

// raftPair connects two transports and collects what the second one receives.
func raftPair(t *testing.T, n *Network) (c raftio.IConnection, s raftio.ISnapshotConnection, got *[]uint64, chunks *[]uint64) {
	got, chunks = new([]uint64), new([]uint64)
	make1 := func(name string) raftio.ITransport {
		tr := n.Host(name).RaftTransport().Create(config.NodeHostConfig{RaftAddress: name + ":7000"},
			func(b raftpb.MessageBatch) { *got = append(*got, b.Requests[0].LogIndex) },
			func(c raftpb.Chunk) bool { *chunks = append(*chunks, c.ChunkId); return c.ChunkId != 3 })
		if err := tr.Start(); err != nil {
			t.Fatal(err)
		}
		return tr
	}
	a := make1("n1")
	make1("n2")
	c = must(a.GetConnection(context.Background(), "n2:7000"))
	s = must(a.GetSnapshotConnection(context.Background(), "n2:7000"))
	return c, s, got, chunks
}

func TestRaftMessages(t *testing.T) {
	send := func(c raftio.IConnection, n int) {
		for i := range n {
			batch := raftpb.MessageBatch{Requests: []raftpb.Message{{LogIndex: uint64(i)}}}
			if err := c.SendMessageBatch(batch); err != nil {
				panic(err)
			}
		}
		time.Sleep(time.Minute)
	}
	inNetwork(t, 1, LAN, func(t *testing.T, n *Network) {
		c, _, got, _ := raftPair(t, n)
		send(c, 500)
		if len(*got) != 500 || !slices.IsSorted(*got) {
			t.Errorf("a quiet link: %d of 500, in order %v", len(*got), slices.IsSorted(*got))
		}
	})
	p := Profile{DelayMean: time.Millisecond, Loss: 0.1, Duplicate: 0.1, Reorder: 0.3}
	inNetwork(t, 1, p, func(t *testing.T, n *Network) {
		c, _, got, _ := raftPair(t, n)
		send(c, 1000)
		times := map[uint64]int{}
		for _, i := range *got {
			times[i]++
		}
		lost, doubled := 1000-len(times), 0
		for _, k := range times {
			if k > 1 {
				doubled++
			}
		}
		if lost < 50 || lost > 150 || doubled < 40 || doubled > 150 || slices.IsSorted(*got) {
			t.Errorf("lost %d, doubled %d, in order %v", lost, doubled, slices.IsSorted(*got))
		}
	})
	inNetwork(t, 1, LAN, func(t *testing.T, n *Network) {
		c, _, got, _ := raftPair(t, n)
		n.Cut("n1", "n2")
		send(c, 10)
		n.Heal("n1", "n2")
		if len(*got) > 0 {
			t.Errorf("over a cut link: %v", *got)
		}
		n.Host("n2").Down(false)
		if err := c.SendMessageBatch(raftpb.MessageBatch{Requests: make([]raftpb.Message, 1)}); err == nil {
			t.Error("a dead peer takes messages")
		}
	})
}

func TestSnapshotChunks(t *testing.T) {
	inNetwork(t, 1, Profile{DelayMean: time.Second}, func(t *testing.T, n *Network) {
		_, s, _, chunks := raftPair(t, n)
		var err error
		for i := 0; err == nil; i++ {
			err = s.SendChunk(raftpb.Chunk{ChunkId: uint64(i)})
		}
		// The receiver of raftPair refuses chunk 3.
		if fmt.Sprint(*chunks) != "[0 1 2 3]" || err == nil {
			t.Errorf("%v, %v", *chunks, err)
		}
		n.Cut("n1", "n2")
		if err := s.SendChunk(raftpb.Chunk{}); err == nil {
			t.Error("over a cut link")
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestWriterLearnsWithTheReader: a write does not fail before the reader of the same end
// can know why. A library whose writes fail waits for its reader to end, some without a
// pause; a writer that knows more made it spin while the clock stood still.
func TestWriterLearnsWithTheReader(t *testing.T) {
	ends := map[string]func(n *Network, far net.Conn){
		"reset":  func(n *Network, _ net.Conn) { n.ResetStreams("c1", "n1", 1) },
		"close":  func(_ *Network, far net.Conn) { far.Close() },
		"killed": func(n *Network, _ net.Conn) { n.Host("n1").Down(false) },
	}
	for name, end := range ends {
		for seed := uint64(0); seed < 20; seed++ {
			inNetwork(t, seed, LAN, func(t *testing.T, n *Network) {
				near, far := connect(t, n)
				end(n, far)
				for {
					_, wrote := near.Write([]byte("x"))
					must(0, near.SetReadDeadline(time.Now().Add(time.Nanosecond)))
					_, read := near.Read(make([]byte, 1))
					late := errors.Is(read, os.ErrDeadlineExceeded)
					if wrote != nil && late {
						t.Fatalf("%s, seed %d: the write failed with %v, the read not", name, seed, wrote)
					}
					if wrote != nil {
						break
					}
					time.Sleep(time.Microsecond)
				}
				near.Close()
				far.Close()
			})
		}
	}
}

// TestAWaitingReaderIsNotLate: the same for a reader that waits already, with data on
// its way through a slow link. Of a stream that was reset and then closed it was seen to wait
// for the time at which the last byte had been due, or for the end of an earlier clog.
func TestAWaitingReaderIsNotLate(t *testing.T) {
	ends := map[string]func(n *Network, far net.Conn){
		"reset":            func(n *Network, _ net.Conn) { n.ResetStreams("c1", "n1", 1) },
		"close":            func(_ *Network, far net.Conn) { far.Close() },
		"killed":           func(n *Network, _ net.Conn) { n.Host("n1").Down(false) },
		"reset, then dead": func(n *Network, far net.Conn) { n.ResetStreams("c1", "n1", 1); far.Close() },
		"clogged twice": func(n *Network, far net.Conn) {
			n.Clog("n1", "c1", time.Minute)
			far.Close()
			time.Sleep(time.Second)
			n.Clog("n1", "c1", time.Second)
		},
	}
	for name, end := range ends {
		for seed := uint64(0); seed < 20; seed++ {
			inNetwork(t, seed, LAN, func(t *testing.T, n *Network) {
				near, far := connect(t, n)
				n.SetProfile("n1", "c1", &Profile{DelayMin: time.Millisecond, DelayMean: time.Second, Fragment: 0.5})
				must(far.Write(make([]byte, 1000)))
				readerEnded := make(chan struct{})
				go func() { defer close(readerEnded); _, _ = io.Copy(io.Discard, near) }()
				synctest.Wait()
				end(n, far)
				for {
					if _, err := near.Write([]byte("x")); err != nil {
						break
					}
					time.Sleep(time.Millisecond)
				}
				synctest.Wait()
				select {
				case <-readerEnded:
				default:
					t.Errorf("%s, seed %d: the write has failed, the reader waits", name, seed)
				}
				near.Close()
				far.Close()
				<-readerEnded
			})
		}
	}
}
