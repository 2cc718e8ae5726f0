package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/queueing"
)

// queueSettings is what the arguments of a queue's declaration say.
type queueSettings struct {
	config  command.QueueConfig
	order   orderingKey
	ignored []string // arguments that mean nothing here
}

// orderingKey says what of a message is the key of its order (x-ordering-key).
type orderingKey struct {
	from orderingSource
	name string // of a header
}

type orderingSource uint8

const (
	unordered orderingSource = iota
	byRoutingKey
	byHeader
	byMessageID
	byCorrelationID
)

// of is a message's key.
func (o orderingKey) of(m *broker.Message) string {
	switch o.from {
	case byRoutingKey:
		return m.Key
	case byMessageID:
		return m.MessageID
	case byCorrelationID:
		return m.CorrelationID
	case byHeader:
		for i := range m.Headers {
			if m.Headers[i].Name == o.name {
				return valueText(&m.Headers[i].Value)
			}
		}
	}
	return ""
}

func valueText(v *broker.ArgumentValue) string {
	switch v.Kind {
	case broker.ArgumentText, broker.ArgumentOpaque:
		return v.Text
	case broker.ArgumentFloat:
		return fmt.Sprint(v.Float)
	case broker.ArgumentVoid:
		return ""
	}
	return fmt.Sprint(v.Int)
}

// deliveryLimitDefault is RabbitMQ's of a quorum queue, in returns.
const deliveryLimitDefault = 20

// deduplicationCountDefault is how many message ids a queue with a de-duplication window remembers if it does not say.
const deduplicationCountDefault = 100_000

// The policies, as package queue numbers them.
var (
	overflows = []string{"drop-head", "reject-publish", "reject-publish-dlx"}
	poisons   = []string{"drop", "park", "dead-letter", "dead-letter-key", "stop"}
)

const (
	poisonDrop = 0
	poisonPark = 1
	poisonSend = 2
)

// tuning are arguments of RabbitMQ that tune what does not exist here.
var tuning = []string{"x-queue-mode", "x-queue-version", "x-quorum-initial-group-size", "x-quorum-target-group-size", "x-queue-leader-locator",
	"x-queue-master-locator", "x-max-in-memory-length", "x-max-in-memory-bytes"}

// Arguments that say where dead letters go, and whether one that has nowhere to go is dropped or waits.
const (
	argDeadLetterExchange = "x-dead-letter-exchange"
	argDeadLetterKey      = "x-dead-letter-routing-key"
	argDeadLetterStrategy = "x-dead-letter-strategy"

	atMostOnce  = "at-most-once"
	atLeastOnce = "at-least-once"
)

// meaning says what each argument that means something does to the settings; an error is the text behind "invalid arg".
var meaning = map[string]func(v *broker.ArgumentValue, s *queueSettings, d *declared) error{
	"x-queue-type": func(v *broker.ArgumentValue, _ *queueSettings, _ *declared) error {
		if v.Kind != broker.ArgumentText || v.Text != "classic" && v.Text != "quorum" {
			return fmt.Errorf("%q is no queue type here: classic or quorum", valueText(v))
		}
		return nil
	},
	"x-message-ttl":      number(0, 1<<53, func(s *queueSettings, n int64) { s.config.TTLMs = n }),
	"x-expires":          number(1, 1<<53, func(s *queueSettings, n int64) { s.config.ExpiresMs = uint64(n) }),
	"x-max-length":       number(0, 1<<53, func(s *queueSettings, n int64) { s.config.LengthMax = n }),
	"x-max-length-bytes": number(0, 1<<53, func(s *queueSettings, n int64) { s.config.BytesMax = n }),
	"x-max-priority":     number(0, broker.PriorityMax, func(s *queueSettings, n int64) { s.config.Priorities = uint8(n) }),
	"x-delivery-limit":   number(-1, 1<<31-1, func(s *queueSettings, n int64) { s.config.DeliveryLimit = uint32(max(n, 0)) }),
	"x-consumer-timeout": number(1, 1<<53, func(s *queueSettings, n int64) { s.config.ConsumerTimeoutMs = uint64(n) }),
	"x-ordering-window":  number(1, orderingWindowMax, func(s *queueSettings, n int64) { s.config.OrderingWindow = uint32(n) }),
	"x-deduplication-window": number(1, 1<<53, func(s *queueSettings, n int64) {
		s.config.DeduplicationMs = uint64(n)
	}),
	"x-deduplication-count": number(1, deduplicationCountMax, func(s *queueSettings, n int64) { s.config.DeduplicationCount = uint32(n) }),
	"x-overflow": choice(func(s *queueSettings, n int) { s.config.Overflow = uint8(n) },
		overflows...),
	"x-single-active-consumer": func(v *broker.ArgumentValue, s *queueSettings, _ *declared) error {
		if v.Kind != broker.ArgumentBool {
			return fmt.Errorf("not a boolean")
		}
		s.config.SingleActive = v.Int != 0
		return nil
	},
	argDeadLetterStrategy: text(func(_ *queueSettings, t string, _ *declared) error {
		if t != atMostOnce && t != atLeastOnce {
			return fmt.Errorf("%q: want %s or %s", t, atMostOnce, atLeastOnce)
		}
		return nil
	}),
	argDeadLetterExchange: text(func(s *queueSettings, _ string, d *declared) error {
		s.config.DeadLetters = true
		return nil
	}),
	argDeadLetterKey: text(func(_ *queueSettings, _ string, d *declared) error {
		d.deadLetterKey = true
		return nil
	}),
	"x-ordering-poison": text(func(s *queueSettings, t string, d *declared) error {
		n := slices.Index(poisons, t)
		if n <= poisonDrop {
			return fmt.Errorf("%q: want one of %s", t, strings.Join(poisons[poisonDrop+1:], ", "))
		}
		s.config.Poison, d.poison = uint8(n), true
		return nil
	}),
	"x-ordering-key": text(func(s *queueSettings, t string, _ *declared) error {
		header, byName := strings.CutPrefix(t, "header:")
		switch {
		case t == "routing-key":
			s.order.from = byRoutingKey
		case t == "message-id":
			s.order.from = byMessageID
		case t == "correlation-id":
			s.order.from = byCorrelationID
		case byName && header != "":
			s.order = orderingKey{byHeader, header}
		default:
			return fmt.Errorf("%q: want routing-key, message-id, correlation-id or header:NAME", t)
		}
		s.config.Ordered = true
		return nil
	}),
}

// declared is what was said, where the settings do not show it.
type declared struct{ deadLetterKey, poison bool }

func number(lo, hi int64, set func(s *queueSettings, n int64)) func(*broker.ArgumentValue, *queueSettings, *declared) error {
	return func(v *broker.ArgumentValue, s *queueSettings, _ *declared) error {
		if v.Kind != broker.ArgumentInt {
			return fmt.Errorf("not an integer")
		}
		if v.Int < lo || v.Int > hi {
			return fmt.Errorf("%d is not in %d..%d", v.Int, lo, hi)
		}
		set(s, v.Int)
		return nil
	}
}

func text(set func(s *queueSettings, t string, d *declared) error) func(*broker.ArgumentValue, *queueSettings, *declared) error {
	return func(v *broker.ArgumentValue, s *queueSettings, d *declared) error {
		if v.Kind != broker.ArgumentText {
			return fmt.Errorf("not a text")
		}
		return set(s, v.Text, d)
	}
}

func choice(set func(s *queueSettings, n int), names ...string) func(*broker.ArgumentValue, *queueSettings, *declared) error {
	return text(func(s *queueSettings, t string, _ *declared) error {
		n := slices.Index(names, t)
		if n < 0 {
			return fmt.Errorf("%q: want one of %s", t, strings.Join(names, ", "))
		}
		set(s, n)
		return nil
	})
}

// settingsOf reads the arguments of a declaration (CodeInvalidArgument).
func settingsOf(host string, q *broker.QueueSpec) (*queueSettings, error) {
	s := &queueSettings{config: command.QueueConfig{TTLMs: -1, LengthMax: -1, BytesMax: -1, DeliveryLimit: deliveryLimitDefault}}
	refuse := func(format string, args ...any) error {
		return broker.Errorf(broker.CodeInvalidArgument, "declare queue", "queue "+q.Name, format, args...)
	}
	var d declared
	for i := range q.Arguments {
		a := &q.Arguments[i]
		mean, known := meaning[a.Name]
		switch {
		case known:
			if err := mean(&a.Value, s, &d); err != nil {
				return nil, refuse("invalid arg '%s' for queue '%s' in vhost '%s': %w", a.Name, q.Name, host, err)
			}
		case !slices.Contains(tuning, a.Name):
			s.ignored = append(s.ignored, a.Name)
		}
	}
	c := &s.config
	c.AutoDelete = q.AutoDelete
	if d.deadLetterKey && !c.DeadLetters {
		return nil, refuse("invalid arg 'x-dead-letter-routing-key' for queue '%s' in vhost '%s': there is no x-dead-letter-exchange", q.Name, host)
	}
	switch {
	case !c.Ordered && c.OrderingWindow > 0:
		return nil, refuse("invalid arg 'x-ordering-window' for queue '%s' in vhost '%s': there is no x-ordering-key", q.Name, host)
	case !c.Ordered && d.poison:
		return nil, refuse("invalid arg 'x-ordering-poison' for queue '%s' in vhost '%s': there is no x-ordering-key", q.Name, host)
	case c.Poison == poisonSend && !c.DeadLetters:
		return nil, refuse("invalid arg 'x-ordering-poison' for queue '%s' in vhost '%s': there is no x-dead-letter-exchange", q.Name, host)
	}
	if !d.poison {
		switch {
		case c.DeadLetters:
			c.Poison = poisonSend
		case c.Ordered:
			c.Poison = poisonPark
		}
	}
	if c.DeduplicationMs > 0 && c.DeduplicationCount == 0 {
		c.DeduplicationCount = deduplicationCountDefault
	}
	if what := queueing.CheckConfig(c); what != "" {
		return nil, refuse("queue '%s' in vhost '%s': %s is not offered yet", q.Name, host, what)
	}
	return s, nil
}

// sameQueue refuses a declaration that is not that of the queue that is there. Of the arguments only those count that mean
// something.
func sameQueue(host string, is, want *broker.QueueSpec) error {
	name := want.Name
	differ := func(what string, is, want any) error {
		return broker.Errorf(broker.CodeInequivalent, "declare queue", "queue "+name,
			"inequivalent arg '%s' for queue '%s' in vhost '%s': received '%v' but current is '%v'", what, name, host, want, is)
	}
	switch {
	case is.Durable != want.Durable:
		return differ("durable", is.Durable, want.Durable)
	case is.AutoDelete != want.AutoDelete:
		return differ("auto_delete", is.AutoDelete, want.AutoDelete)
	case is.Exclusive != want.Exclusive:
		return differ("exclusive", is.Exclusive, want.Exclusive)
	}
	for _, key := range sortedKeys(meaning) {
		a, b := argument(is.Arguments, key), argument(want.Arguments, key)
		if a != b && key != "x-queue-type" {
			return differ(key, argumentText(a), argumentText(b))
		}
	}
	return nil
}

// argument is a named argument's value, nothing if it is not there.
func argument(as []broker.Argument, name string) (v broker.ArgumentValue) {
	for i := range as {
		if as[i].Name == name {
			return as[i].Value
		}
	}
	return v
}

func argumentText(v broker.ArgumentValue) string {
	if v.Kind == broker.ArgumentVoid {
		return "none"
	}
	return valueText(&v)
}
