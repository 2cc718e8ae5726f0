package kafka

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func randomFetched(r *rand.Rand, version int16) *fetched {
	a := &fetched{version: version, code: int16(r.IntN(2)) * errFetchSessionIDNotFound, session: int32(r.IntN(2)) * r.Int32()}
	if version < fetchVersionSessions {
		a.code, a.session = 0, 0
	}
	for range r.IntN(4) {
		t := fetchedTopic{name: string(make([]byte, r.IntN(200)))}
		if version >= fetchVersionIDs {
			t = fetchedTopic{id: broker.TopicID{byte(r.IntN(256))}}
		}
		for range r.IntN(4) {
			p := fetchedPartition{index: r.Int32()}
			p.HighWatermark, p.LastStableOffset, p.LogStartOffset = broker.Offset(r.Int64()), broker.Offset(r.Int64()), broker.Offset(r.Int64())
			switch r.IntN(4) {
			case 0:
				p.Err = &broker.Error{Code: broker.CodeNotLeader, Leader: broker.NodeID(r.IntN(3)), Epoch: 7}
			case 1:
				p.Diverging = &broker.EpochAnswer{Epoch: 3, End: 99}
			default:
				for range r.IntN(5) {
					b := make([]byte, r.IntN(3)*spliceBytesMin*2/3+r.IntN(100))
					for i := range b {
						b[i] = byte(r.IntN(256))
					}
					p.Batches = append(p.Batches, b)
				}
			}
			t.partitions = append(t.partitions, p)
		}
		a.topics = append(a.topics, t)
	}
	if version >= fetchVersionLeaders && r.IntN(2) == 0 {
		a.brokers = []broker.Node{{ID: 1, Kafka: broker.Endpoint{Host: "a", Port: 2}, Rack: "r"}, {ID: 2}}
	}
	return a
}

// Our encoding of a fetch response is the codec's, byte for byte, with large batches spliced and not copied.
func TestFetchResponseIsTheCodecs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for version := int16(4); version <= 16; version++ {
		for range 200 {
			a := randomFetched(r, version)
			var o outgoing
			o.own = append(o.own, "before"...)
			a.encode(&o, 42)
			var all []byte
			for _, b := range o.buffers() {
				all = append(all, b...)
			}
			all = all[len("before"):]
			if int(binary.BigEndian.Uint32(all)) != len(all)-4 || binary.BigEndian.Uint32(all[4:]) != 42 {
				t.Fatalf("version %d: frame of %d bytes says %d", version, len(all), binary.BigEndian.Uint32(all))
			}
			body := all[8:]
			if version >= fetchVersionFlexible {
				body = body[1:]
			}
			resp := kmsg.NewPtrFetchResponse()
			resp.Version = version
			if err := resp.ReadFrom(body); err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			if got := resp.AppendTo(nil); !bytes.Equal(got, body) {
				t.Fatalf("version %d differs:\n%x\n%x", version, body, got)
			}
			compareFetched(t, a, resp)
			for _, c := range o.cuts {
				if len(c.bytes) < spliceBytesMin {
					t.Errorf("spliced %d bytes", len(c.bytes))
				}
			}
		}
	}
}

func compareFetched(t *testing.T, a *fetched, resp *kmsg.FetchResponse) {
	t.Helper()
	if resp.ErrorCode != a.code || resp.SessionID != a.session || len(resp.Topics) != len(a.topics) || len(resp.Brokers) != len(a.brokers) {
		t.Fatalf("head differs: %+v", resp)
	}
	for i, n := range a.brokers {
		if b := resp.Brokers[i]; b.NodeID != int32(n.ID) || b.Host != n.Kafka.Host || b.Port != n.Kafka.Port || deref(b.Rack) != n.Rack {
			t.Fatalf("node %d differs: %+v", i, b)
		}
	}
	for i := range a.topics {
		if resp.Topics[i].Topic != a.topics[i].name || broker.TopicID(resp.Topics[i].TopicID) != a.topics[i].id {
			t.Fatalf("topic %d differs", i)
		}
		for j, p := range a.topics[i].partitions {
			g := resp.Topics[i].Partitions[j]
			node, _ := leader(p.Err)
			if a.version < fetchVersionFlexible {
				node = -1
			}
			if g.Partition != p.index || g.ErrorCode != readErrors.code(p.Err) || g.HighWatermark != int64(p.HighWatermark) ||
				!bytes.Equal(g.RecordBatches, bytes.Join(p.Batches, nil)) || g.CurrentLeader.LeaderID != node ||
				(g.DivergingEpoch.EndOffset == 99) != (p.Diverging != nil && a.version >= fetchVersionFlexible) {
				t.Fatalf("partition differs: %+v\n%+v", g, p)
			}
		}
	}
}
