package kafka_test

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// frame encodes a request as a client with id "raw" sends it.
func frame(q kmsg.Request, version int16, correlation int32) []byte {
	q.SetVersion(version)
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw")).AppendRequest(nil, q, correlation)
}

func send(t *testing.T, c net.Conn, q kmsg.Request, version int16, correlation int32) {
	t.Helper()
	if _, err := c.Write(frame(q, version, correlation)); err != nil {
		t.Fatal(err)
	}
}

// receive reads one response and its correlation id; the body is without the header.
func receive(t *testing.T, c net.Conn) (correlation int32, body []byte) {
	t.Helper()
	head := make([]byte, 8)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatal(err)
	}
	body = make([]byte, binary.BigEndian.Uint32(head)-4)
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	return int32(binary.BigEndian.Uint32(head[4:])), body
}

// expect reads the response to q, which must have this correlation id.
func expect[R kmsg.Response](t *testing.T, c net.Conn, q kmsg.Request, correlation int32) R {
	t.Helper()
	got, body := receive(t, c)
	if got != correlation {
		t.Fatalf("response %d came, want %d", got, correlation)
	}
	resp := q.ResponseKind()
	if resp.IsFlexible() && resp.Key() != 18 {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	return resp.(R)
}

// batch is a record batch with one record of n bytes.
func batch(n int) []byte {
	record := kmsg.Record{Value: make([]byte, n)}
	record.Length = int32(len(record.AppendTo(nil)) - 1) // a length of 0 takes one byte
	records := record.AppendTo(nil)
	b := make([]byte, 61, 61+len(records))
	binary.BigEndian.PutUint32(b[8:], uint32(49+len(records)))
	b[16] = 2
	binary.BigEndian.PutUint64(b[43:], ^uint64(0))
	binary.BigEndian.PutUint16(b[51:], ^uint16(0))
	binary.BigEndian.PutUint32(b[53:], ^uint32(0))
	binary.BigEndian.PutUint32(b[57:], 1)
	b = append(b, records...)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func produceOf(acks int16, topic string, batches map[int32][]byte) *kmsg.ProduceRequest {
	q := kmsg.NewPtrProduceRequest()
	q.Acks, q.TimeoutMillis = acks, 30_000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	for p := range int32(10) {
		if b, ok := batches[p]; ok {
			rp := kmsg.NewProduceRequestTopicPartition()
			rp.Partition, rp.Records = p, b
			rt.Partitions = append(rt.Partitions, rp)
		}
	}
	q.Topics = append(q.Topics, rt)
	return q
}

func fetchOf(topic string, offset int64, minBytes, waitMillis int32) *kmsg.FetchRequest {
	q := kmsg.NewPtrFetchRequest()
	q.MinBytes, q.MaxBytes, q.MaxWaitMillis = minBytes, 1<<20, waitMillis
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.FetchOffset, rp.PartitionMaxBytes = offset, 1<<20
	rt.Partitions = append(rt.Partitions, rp)
	q.Topics = append(q.Topics, rt)
	return q
}
