package amqp

import (
	"strconv"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// parseExpiration reads the property expiration: milliseconds as a decimal text.
func parseExpiration(text string, method wire.MethodID) (time.Duration, *wire.Error) {
	ms, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, wire.Errorf(wire.PreconditionFailed, method, "invalid expiration '%s': it is a number of milliseconds as text", text)
	}
	return time.Duration(min(ms, expirationMax)) * time.Millisecond, nil
}

// routes are the further routing keys that the headers CC and BCC name: an array of texts.
func routes(headers wire.Table, name string, method wire.MethodID) ([]string, *wire.Error) {
	v := headers.Lookup(name)
	if v.Kind == 0 {
		return nil, nil
	}
	list, ok := v.Array()
	var keys []string
	for v := range list.All() {
		text, isText := v.Text()
		ok = ok && isText
		keys = append(keys, string(text))
	}
	if !ok {
		return nil, wire.Errorf(wire.PreconditionFailed, method, "header %s is not an array of texts", name)
	}
	return keys, nil
}

// ReadProperties fills in what routing and order read of a message that was stored.
func ReadProperties(properties []byte, m *broker.Message) error {
	var p wire.Properties
	if err := wire.DecodeProperties(properties, &p); err != nil {
		return err
	}
	m.MessageID, m.CorrelationID, m.Priority = p.MessageID, p.CorrelationID, p.Priority
	if p.Flags&wire.HasHeaders == 0 {
		return nil
	}
	m.Headers = arguments(p.Headers)
	var refused *wire.Error
	if m.CC, refused = routes(p.Headers, "CC", wire.MethodBasicPublish); refused != nil {
		return refused
	}
	return nil
}

// without is a table that lacks some names.
func without(t wire.Table, names ...string) wire.Table {
	var kept wire.Table
next:
	for name, v := range t.All() {
		for _, n := range names {
			if string(name) == n {
				continue next
			}
		}
		kept = kept.Append(string(name), v)
	}
	return kept
}

// header is what a delivery's content begins with: the properties as they were published, and what happened to it since in
// headers, as RabbitMQ writes them.
func header(d *broker.Delivery) (wire.ContentHeader, error) {
	h := wire.ContentHeader{BodyBytes: uint64(len(d.Body))}
	if err := wire.DecodeProperties(d.Properties, &h.Properties); err != nil {
		return h, err
	}
	if d.Returned == 0 && d.Fence == 0 && len(d.Deaths) == 0 {
		return h, nil
	}
	headers := without(h.Properties.Headers, "x-delivery-count", "x-tally-fence")
	if d.Returned > 0 {
		headers = headers.Append("x-delivery-count", wire.Int64Value(int64(d.Returned)))
	}
	if d.Fence > 0 {
		headers = headers.Append("x-tally-fence", wire.Int64Value(int64(d.Fence)))
	}
	if len(d.Deaths) > 0 {
		expiration := ""
		if h.Properties.Flags&wire.HasExpiration != 0 { // it had its time
			expiration = h.Properties.Expiration
			h.Properties.Flags &^= wire.HasExpiration
		}
		headers = appendDeaths(headers, d.Deaths, expiration)
	}
	h.Properties.Headers = headers
	h.Properties.Flags |= wire.HasHeaders
	return h, nil
}

// appendDeaths writes x-death and the names of the first and last of them (https://www.rabbitmq.com/docs/dlx). What it was published
// with as expiration is in the first.
func appendDeaths(headers wire.Table, deaths []broker.Death, expiration string) wire.Table {
	headers = without(headers, "x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason",
		"x-last-death-exchange", "x-last-death-queue", "x-last-death-reason")
	var list wire.Array
	for i, d := range deaths {
		var keys wire.Array
		for _, key := range d.Keys {
			keys = keys.Append(wire.TextValue(key))
		}
		entry := wire.Table(nil).
			Append("count", wire.Int64Value(int64(d.Count))).
			Append("exchange", wire.TextValue(d.Exchange)).
			Append("queue", wire.TextValue(d.Queue)).
			Append("reason", wire.TextValue(d.Reason)).
			Append("routing-keys", wire.ArrayValue(keys)).
			Append("time", wire.TimestampValue(uint64(d.Time/1000)))
		if expiration != "" && i == len(deaths)-1 {
			entry = entry.Append("original-expiration", wire.TextValue(expiration))
		}
		list = list.Append(wire.TableValue(entry))
	}
	last, first := deaths[0], deaths[len(deaths)-1]
	return headers.Append("x-death", wire.ArrayValue(list)).
		Append("x-first-death-exchange", wire.TextValue(first.Exchange)).
		Append("x-first-death-queue", wire.TextValue(first.Queue)).
		Append("x-first-death-reason", wire.TextValue(first.Reason)).
		Append("x-last-death-exchange", wire.TextValue(last.Exchange)).
		Append("x-last-death-queue", wire.TextValue(last.Queue)).
		Append("x-last-death-reason", wire.TextValue(last.Reason))
}
