package batch

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestFranzGoBatches takes what a real client sends, with each codec, idempotent. The first answer of each batch is
// that the request timed out, so the client sends again, compressed anew: the fingerprints must be the same.
func TestFranzGoBatches(t *testing.T) {
	for name, c := range map[string]struct {
		codec kgo.CompressionCodec
		want  Codec
	}{
		"none": {kgo.NoCompression(), CodecNone}, "gzip": {kgo.GzipCompression(), CodecGzip}, "snappy": {kgo.SnappyCompression(), CodecSnappy},
		"lz4": {kgo.Lz4Compression(), CodecLZ4}, "zstd": {kgo.ZstdCompression(), CodecZstd},
	} {
		t.Run(name, func(t *testing.T) {
			broker := &fakeBroker{}
			client, err := kgo.NewClient(kgo.SeedBrokers("fake:9092"), kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(c.codec),
				kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ManualFlushing(), kgo.RetryBackoffFn(func(int) time.Duration { return 0 }),
				kgo.Dialer(func(context.Context, string, string) (net.Conn, error) {
					ours, theirs := net.Pipe()
					go broker.serve(ours)
					return theirs, nil
				}))
			if err != nil {
				t.Fatal(err)
			}
			want := make([]*kgo.Record, 50)
			for i := range want {
				want[i] = &kgo.Record{Key: []byte(fmt.Sprint("account-", i%7)), Value: bytes.Repeat([]byte("amount"), i), Timestamp: time.UnixMilli(int64(1000 + i*i%90)),
					Headers: []kgo.RecordHeader{{Key: "n", Value: []byte{byte(i)}}}}
				client.Produce(context.Background(), want[i], func(_ *kgo.Record, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
			if err := client.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			client.Close()
			if len(broker.batches) != 2 {
				t.Fatalf("%d batches, want the first and its retry", len(broker.batches))
			}
			first := mustValidate(t, broker.batches[0], Limits{})
			if again := mustValidate(t, broker.batches[1], Limits{}); again != first {
				t.Errorf("sent %v, again %v", first, again)
			}
			if first.Codec != c.want || first.NumRecords != 50 || first.ProducerID != 77 || first.BaseSequence != 0 || first.MaxTimestampWrong {
				t.Errorf("%v", first)
			}
			i := 0
			for r, err := range Records(broker.batches[0]) {
				if err != nil {
					t.Fatal(err)
				}
				if w := want[i]; !bytes.Equal(r.Key, w.Key) || !bytes.Equal(r.Value, w.Value) || r.Timestamp != w.Timestamp.UnixMilli() || r.Headers[0].Key != "n" {
					t.Fatalf("record %d: %v, sent %v", i, r, w)
				}
				i++
			}
		})
	}
}

// fakeBroker answers as much as a producer needs and keeps the batches it got.
type fakeBroker struct{ batches [][]byte }

func (f *fakeBroker) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		request := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(frame)))
		request.SetVersion(int16(binary.BigEndian.Uint16(frame[2:])))
		body := frame[8:]
		if n := int16(binary.BigEndian.Uint16(body)); n > 0 {
			body = body[2+n:]
		} else {
			body = body[2:]
		}
		if request.IsFlexible() {
			body = body[1:] // no tags
		}
		if err := request.ReadFrom(body); err != nil {
			return
		}
		reply := f.answer(request)
		reply.SetVersion(request.GetVersion())
		out := append([]byte{0, 0, 0, 0}, frame[4:8]...)
		if request.IsFlexible() && request.Key() != 18 {
			out = append(out, 0)
		}
		out = reply.AppendTo(out)
		binary.BigEndian.PutUint32(out, uint32(len(out)-4))
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

func (f *fakeBroker) answer(request kmsg.Request) kmsg.Response {
	switch request := request.(type) {
	case *kmsg.ApiVersionsRequest:
		reply := kmsg.NewPtrApiVersionsResponse()
		for key, highest := range map[int16]int16{0: 9, 3: 9, 18: 3, 22: 4} {
			reply.ApiKeys = append(reply.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MaxVersion: highest})
		}
		return reply
	case *kmsg.MetadataRequest:
		reply := kmsg.NewPtrMetadataResponse()
		reply.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 1, Host: "fake", Port: 9092}}
		reply.ControllerID = 1
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic = kmsg.StringPtr("t")
		topic.Partitions = []kmsg.MetadataResponseTopicPartition{{Leader: 1, LeaderEpoch: 1, Replicas: []int32{1}, ISR: []int32{1}}}
		reply.Topics = []kmsg.MetadataResponseTopic{topic}
		return reply
	case *kmsg.InitProducerIDRequest:
		reply := kmsg.NewPtrInitProducerIDResponse()
		reply.ProducerID = 77
		return reply
	case *kmsg.ProduceRequest:
		reply := kmsg.NewPtrProduceResponse()
		for _, t := range request.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				f.batches = append(f.batches, bytes.Clone(p.Records))
				partition := kmsg.NewProduceResponseTopicPartition()
				partition.Partition = p.Partition
				if len(f.batches) == 1 {
					partition.ErrorCode = 7 // REQUEST_TIMED_OUT
				}
				topic.Partitions = append(topic.Partitions, partition)
			}
			reply.Topics = append(reply.Topics, topic)
		}
		return reply
	}
	return request.ResponseKind()
}
