package kafka

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Our encoding of a produce response is the codec's, byte for byte, unless another leader is named: that is the codec's own.
func TestProduceResponseIsTheCodecs(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for version := int16(0); version <= 12; version++ {
		for range 200 {
			q := kmsg.NewPtrProduceRequest()
			q.Version = version
			p := &produce{response: q.ResponseKind().(*kmsg.ProduceResponse), request: &request{}}
			p.response.ThrottleMillis = int32(r.IntN(2)) * r.Int32()
			for range r.IntN(4) {
				topic := kmsg.NewProduceResponseTopic()
				topic.Topic = strings.Repeat("t", r.IntN(300))
				for range r.IntN(4) {
					out := kmsg.NewProduceResponseTopicPartition()
					out.Partition, out.BaseOffset, out.LogAppendTime, out.LogStartOffset = r.Int32(), r.Int64(), r.Int64(), r.Int64()
					if r.IntN(3) == 0 {
						m := strings.Repeat("m", r.IntN(200))
						out.ErrorCode, out.ErrorMessage = int16(r.IntN(120)), &m
					}
					topic.Partitions = append(topic.Partitions, out)
				}
				p.response.Topics = append(p.response.Topics, topic)
			}
			var mine, theirs outgoing
			p.encode(&mine, 42)
			message{p.response}.encode(&theirs, 42)
			if !bytes.Equal(mine.own, theirs.own) {
				t.Fatalf("version %d:\nmine   %x\ntheirs %x", version, mine.own, theirs.own)
			}
		}
	}
}
