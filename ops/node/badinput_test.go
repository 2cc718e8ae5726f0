package node_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/ops/config"
)

// Garbage on the Kafka port of a real node costs the one who sent it a connection, and
// nobody else anything: idempotent producers and a consumer work beside it all along, and
// every record of theirs is there once at the end.
func TestBadInputBesideHealthyClients(t *testing.T) {
	c := newServers(t, 1, func(*config.Config) {})
	createTopic(t, c, 2)
	l := startLoad(t, c, 2, 2, 200, 100)
	l.progress(50)
	r := seeded(t)

	stop := dribble(t, c.seeds()[0], 30)
	defer stop()
	frame := func(body []byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	}
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.SetVersion(9)
	good := kmsg.NewRequestFormatter(kmsg.FormatterClientID("bad")).AppendRequest(nil, metadata, 1)
	produce := func(spoil func([]byte)) []byte {
		batch := kmsg.RecordBatch{Magic: 2, Length: 49, NumRecords: 1, LastOffsetDelta: 0, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1}
		records := batch.AppendTo(nil)
		spoil(records)
		q := kmsg.NewPtrProduceRequest()
		q.SetVersion(9)
		q.Acks, q.TimeoutMillis = -1, 1000
		pt := kmsg.NewProduceRequestTopic()
		pt.Topic = topic
		part := kmsg.NewProduceRequestTopicPartition()
		part.Records = records
		pt.Partitions = append(pt.Partitions, part)
		q.Topics = append(q.Topics, pt)
		return kmsg.NewRequestFormatter().AppendRequest(nil, q, 2)
	}
	for name, input := range map[string][]byte{ //lint:sorted each has a connection of its own
		"truncated":     good[:len(good)-3],
		"oversized":     binary.BigEndian.AppendUint32(nil, 1<<31-1),
		"negative":      binary.BigEndian.AppendUint32(nil, 1<<32-5),
		"empty":         frame(nil),
		"unknown key":   frame([]byte{0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff}),
		"wrong version": frame([]byte{0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff}),
		"http":          []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	} {
		throw(t, c.seeds()[0], name, input)
	}
	for name, spoilt := range map[string]struct { //lint:sorted each has a connection of its own
		spoil func([]byte)
		want  *kerr.Error
	}{
		"wrong crc":   {func([]byte) {}, kerr.CorruptMessage},
		"wrong magic": {func(b []byte) { b[16] = 7 }, kerr.UnsupportedForMessageFormat},
		"short batch": {func(b []byte) { b[11] = 200 }, kerr.CorruptMessage},
	} {
		if got := refusal(t, c.seeds()[0], produce(spoilt.spoil)); !errors.Is(got, spoilt.want) {
			t.Errorf("%s: answered %v, want %v", name, got, spoilt.want)
		}
	}
	for range 200 {
		b := make([]byte, r.IntN(300))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			b = frame(b)
		}
		if r.IntN(4) == 0 { // a good request with some bytes flipped
			b = append([]byte(nil), good...)
			for range 1 + r.IntN(4) {
				b[4+r.IntN(len(b)-4)] ^= byte(1 << r.IntN(8))
			}
		}
		throw(t, c.seeds()[0], "random", b)
	}
	l.progress(50)
	l.finish()
}

// throw sends bytes on a connection of their own, closes its writing half, and reads
// until the node ends the connection or a while passed.
func throw(t *testing.T, addr, name string, input []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("%s: the node does not accept: %v", name, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = conn.Write(input)
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}

// refusal sends a whole Produce 9 of one partition and gives the error it is answered with.
func refusal(t *testing.T, addr string, request []byte) error {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	size := make([]byte, 4)
	if _, err := io.ReadFull(conn, size); err != nil {
		t.Fatalf("no answer: %v", err)
	}
	answer := make([]byte, binary.BigEndian.Uint32(size))
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatalf("half an answer: %v", err)
	}
	r := kmsg.NewPtrProduceResponse()
	r.SetVersion(9)
	if err := r.ReadFrom(answer[4+1:]); err != nil || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 { // correlation id, no tags
		t.Fatalf("answer %x: %v", answer, err)
	}
	return kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode)
}

// dribble opens connections that each claim a large request and send it a byte at a time, until it is told to stop or the
// node has enough of them.
func dribble(t *testing.T, addr string, connections int) (stop func()) {
	ended := make(chan struct{})
	var senders sync.WaitGroup
	for range connections {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("slow sender: %v", err)
		}
		senders.Go(func() {
			defer conn.Close()
			claim := []byte{0, 0x60, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff}
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ; i++ {
				next := byte(0)
				if i < len(claim) {
					next = claim[i]
				}
				if _, err := conn.Write([]byte{next}); err != nil {
					return
				}
				select {
				case <-tick.C:
				case <-ended:
					return
				}
			}
		})
	}
	return func() {
		close(ended)
		senders.Wait()
	}
}
