package engine

import (
	"encoding/json"
	"fmt"
	"hash/crc64"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/internal/invariant"
)

// A message is stored as a record batch of one record, which Kafka's readers can read: the routing key is the record's key,
// the body its value, and these headers have the rest.
const (
	headerExchange   = "amqp.exchange"
	headerProperties = "amqp.properties" // opaque: the front end's
	headerDeaths     = "amqp.deaths"     // JSON: where it was dead-lettered before; not there if nowhere
)

// messageBuilders build batches of one record; their memory is used again.
var messageBuilders = sync.Pool{New: func() any { return batch.NewBuilder() }}

// appendMessage appends a message as it is stored.
func appendMessage(dst []byte, m *broker.Message) []byte {
	b := messageBuilders.Get().(*batch.Builder)
	b.Reset()
	stamp := m.Timestamp
	if stamp <= 0 {
		stamp = time.Now().UnixMilli()
	}
	body := m.Body
	if body == nil {
		body = []byte{}
	}
	headers := []batch.RecordHeader{{Key: headerExchange, Value: []byte(m.Exchange)}, {Key: headerProperties, Value: m.Properties}}
	if len(m.Deaths) > 0 {
		deaths, err := json.Marshal(m.Deaths)
		invariant.Check(err == nil, "BUG: deaths: %v", err)
		headers = append(headers, batch.RecordHeader{Key: headerDeaths, Value: deaths})
	}
	b.Append(batch.Record{Timestamp: stamp, Key: []byte(m.Key), Value: body, Headers: headers})
	dst = b.AppendTo(dst)
	messageBuilders.Put(b)
	return dst
}

// readMessage takes a stored message apart; the delivery's slices point into it.
func readMessage(stored []byte, d *broker.Delivery) error {
	n := 0
	for r, err := range batch.Records(stored) {
		if err != nil {
			return err
		}
		n++
		d.Key, d.Body = string(r.Key), r.Value
		for _, h := range r.Headers {
			switch h.Key {
			case headerExchange:
				d.Exchange = string(h.Value)
			case headerProperties:
				d.Properties = h.Value
			case headerDeaths:
				if err := json.Unmarshal(h.Value, &d.Deaths); err != nil {
					return fmt.Errorf("where a message was dead-lettered before: %w", err)
				}
			}
		}
	}
	if n != 1 {
		return fmt.Errorf("a message of %d records", n)
	}
	return nil
}

var fingerprints = crc64.MakeTable(crc64.ECMA)

// fingerprint is over what a publisher sent: another body under one message id is told by it.
func fingerprint(m *broker.Message) uint64 {
	if m.MessageID == "" {
		return 0 // nobody compares
	}
	f := crc64.Update(0, fingerprints, []byte(m.Exchange))
	f = crc64.Update(f, fingerprints, []byte{0})
	f = crc64.Update(f, fingerprints, []byte(m.Key))
	f = crc64.Update(f, fingerprints, []byte{0})
	return crc64.Update(f, fingerprints, m.Body)
}
