package rafttcp

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/raftpb"
)

// inbox is what one node host was handed.
type inbox struct {
	mu      sync.Mutex
	batches []raftpb.MessageBatch
	chunks  []raftpb.Chunk
	refuse  bool
	came    chan struct{}
}

func newInbox() *inbox { return &inbox{came: make(chan struct{}, 1000)} }

func (i *inbox) messages(b raftpb.MessageBatch) {
	i.mu.Lock()
	i.batches = append(i.batches, b)
	i.mu.Unlock()
	i.came <- struct{}{}
}

func (i *inbox) chunk(c raftpb.Chunk) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.chunks = append(i.chunks, c)
	i.came <- struct{}{}
	return !i.refuse
}

// host starts a transport on a port of its own.
func host(t *testing.T, in *inbox, log *slog.Logger) (raftio.ITransport, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var d net.Dialer
	f := NewFactory(Options{
		Listen: func(string) (net.Listener, error) { return l, nil },
		Dial:   func(ctx context.Context, a string) (net.Conn, error) { return d.DialContext(ctx, "tcp", a) },
		Logger: log,
	})
	tr := f.Create(config.NodeHostConfig{RaftAddress: l.Addr().String()}, in.messages, in.chunk)
	if err := tr.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr, l.Addr().String()
}

func batchOf(n uint64, cmd []byte) raftpb.MessageBatch {
	return raftpb.MessageBatch{SourceAddress: "a:1", DeploymentId: 7, BinVer: raftio.TransportBinVersion, Requests: []raftpb.Message{
		{Type: raftpb.Replicate, ShardID: 1, To: 2, From: 1, LogIndex: n, Entries: []raftpb.Entry{{Index: n + 1, Term: 3, Cmd: cmd}}}}}
}

// TestMessagesAndChunks arrive in order with their bytes, small and large.
func TestMessagesAndChunks(t *testing.T) {
	in := newInbox()
	a, _ := host(t, newInbox(), nil)
	_, to := host(t, in, nil)
	c, err := a.GetConnection(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	large := bytes.Repeat([]byte("L"), 3*mib)
	const count = 200
	for n := range uint64(count) {
		cmd := []byte{byte(n)}
		if n == count/2 {
			cmd = large
		}
		if err := c.SendMessageBatch(batchOf(n, cmd)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := a.GetSnapshotConnection(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SendChunk(raftpb.Chunk{ShardID: 4, ChunkId: 5, Data: large}); err != nil {
		t.Fatal(err)
	}
	s.Close() // at once: what was sent still arrives
	for range count + 1 {
		<-in.came
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for n, b := range in.batches {
		e := b.Requests[0].Entries[0]
		want := []byte{byte(n)}
		if n == count/2 {
			want = large
		}
		if b.DeploymentId != 7 || b.SourceAddress != "a:1" || e.Index != uint64(n)+1 || !bytes.Equal(e.Cmd, want) {
			t.Fatalf("batch %d is %d bytes at index %d", n, len(e.Cmd), e.Index)
		}
	}
	if len(in.chunks) != 1 || in.chunks[0].ChunkId != 5 || !bytes.Equal(in.chunks[0].Data, large) {
		t.Errorf("%d chunks", len(in.chunks))
	}
}

// TestRefusedChunkEndsTheConnection, by which its sender learns of it.
func TestRefusedChunkEndsTheConnection(t *testing.T) {
	in := newInbox()
	in.refuse = true
	a, _ := host(t, newInbox(), nil)
	_, to := host(t, in, nil)
	s, err := a.GetSnapshotConnection(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for s.SendChunk(raftpb.Chunk{Data: make([]byte, mib)}) == nil { // ends once the peer's close has come back
	}
}

// TestGarbageCostsItsConnectionOnly: another one goes on, and the log says who it was.
func TestGarbageCostsItsConnectionOnly(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	in := newInbox()
	a, _ := host(t, newInbox(), nil)
	_, to := host(t, in, slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil)))
	c, err := a.GetConnection(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, garbage := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", string(frameOf(kindMessages, []byte("\xff\xff no message"))), string(frameOf(9, nil))} {
		nc, err := net.Dial("tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write([]byte(garbage)); err != nil {
			t.Fatal(err)
		}
		if n, err := nc.Read(make([]byte, 1)); err == nil {
			t.Errorf("%q was answered with %d bytes", garbage, n)
		}
		nc.Close()
	}
	if err := c.SendMessageBatch(batchOf(1, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	<-in.came
	mu.Lock()
	defer mu.Unlock()
	if n := strings.Count(log.String(), "not a frame"); n != 1 {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// TestPeerThatTakesNothing costs its connection after writeWait, and one that sends half a frame after readWait.
func TestPeerThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, theirs := net.Pipe()
		defer theirs.Close()
		c := &connection{nc: mine}
		began := time.Now()
		if err := c.SendMessageBatch(batchOf(1, []byte("x"))); err == nil || time.Since(began) > writeWait {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		tr := &transport{messages: newInbox().messages}
		mine, theirs = net.Pipe()
		go func() { _, _ = theirs.Write(frameOf(kindMessages, make([]byte, 100))[:50]) }()
		began = time.Now()
		if err := tr.serve(mine); err == nil || time.Since(began) > readWait {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		theirs.Close()
	})
}

// TestIdleConnectionStays: waiting for the next frame has no end of its own.
func TestIdleConnectionStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox()
		mine, theirs := net.Pipe()
		ended := make(chan error, 1)
		tr := &transport{messages: in.messages}
		go func() { ended <- tr.serve(theirs) }()
		c := &connection{nc: mine}
		for range 3 {
			if err := c.SendMessageBatch(batchOf(1, make([]byte, 100*kib))); err != nil {
				t.Fatal(err)
			}
			<-in.came
			time.Sleep(time.Hour)
		}
		c.Close()
		<-ended
	})
}
