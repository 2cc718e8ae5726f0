package routing

// Kafka is the type of exchanges that lead to topics of Kafka: to the one that the argument x-topic names, or to the one that the
// routing key does. They have no bindings of their own; other exchanges may be bound to them.
const Kafka Type = "x-kafka-topic"

// argumentTopic names the topic.
const argumentTopic = "x-topic"

// kafkaExchange leads to the topic that the routing key names, from the start.
const kafkaExchange = "amq.kafka"

// TopicTarget is a topic that a message goes to.
type TopicTarget struct {
	Topic string
	// Keyed: the exchange names the topic, so the routing key is the record's key.
	Keyed bool
}

// kafkaMatcher has a topic for every message.
type kafkaMatcher struct{ topic string }

func newKafkaMatcher(x *Exchange) *kafkaMatcher {
	v, _ := find(x.Arguments, argumentTopic)
	return &kafkaMatcher{v.Text}
}

func (x *kafkaMatcher) add(*Binding)    {}
func (x *kafkaMatcher) remove(*Binding) {}

func (x *kafkaMatcher) match(m *Message, w *Walk) {
	w.matched = true
	t := TopicTarget{Topic: m.Key}
	if x.topic != "" {
		t = TopicTarget{x.topic, true}
	}
	for _, have := range w.topics {
		if have.Topic == t.Topic {
			return
		}
	}
	w.topics = append(w.topics, t)
}

// validateTopic refuses a topic that is not named by a text.
func (x *Exchange) validateTopic() error {
	if v, ok := find(x.Arguments, argumentTopic); ok && (v.Kind != Text || v.Text == "") {
		return refuse(InvalidArgument, "invalid arg '%s' for exchange '%s': not a topic's name", argumentTopic, x.Name)
	}
	return nil
}

// Topics are the topics that the message goes to that was routed last, in the order in which it came to their exchanges. They are
// good until the walk is used again.
func (w *Walk) Topics() []TopicTarget { return w.topics }
