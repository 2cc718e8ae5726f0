package node_test

import (
	"context"
	"errors"
	"testing"

	client "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a client of RabbitMQ publishes to an exchange of type x-kafka-topic, Kafka's consumers read: body, key, headers, in the partition in
// which Kafka's own producers put that key. A topic that is not there is unroutable.
func TestRabbitPublishesToTopics(t *testing.T) {
	c := newServers(t, 1, nil)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.seeds()...), kgo.ConsumeTopics("payments", "compacted"), kgo.DefaultProduceTopic("payments"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	r := newRabbit(t, c.nodes[0])
	returned := r.ch.NotifyReturn(make(chan client.Return, 1))
	publish := func(exchange, key string, headers client.Table) bool {
		t.Helper()
		d, err := r.ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, true, false, client.Publishing{MessageId: "m", Headers: headers, Body: []byte(exchange + "/" + key)})
		r.must(err)
		ok, err := d.WaitContext(ctx)
		r.must(err)
		return ok
	}
	r.must(r.ch.Confirm(false))
	if !publish("amq.kafka", "payments", nil) || (<-returned).ReplyCode != client.NoRoute {
		t.Fatal("a topic that is not there")
	}
	adm := kadm.NewClient(cl)
	if _, err := adm.CreateTopic(ctx, 5, 1, nil, "payments"); err != nil {
		t.Fatal(err)
	}
	compact := "compact"
	if _, err := adm.CreateTopic(ctx, 1, 1, map[string]*string{"cleanup.policy": &compact}, "compacted"); err != nil {
		t.Fatal(err)
	}
	r.must(r.ch.ExchangeDeclare("ledger", "x-kafka-topic", true, false, false, false, client.Table{"x-topic": "payments"}))
	r.must(r.ch.ExchangeDeclare("all", "fanout", true, false, false, false, nil))
	r.must(r.ch.ExchangeBind("ledger", "", "all", false, nil))
	r.declare("copy")
	r.must(r.ch.QueueBind("copy", "", "all", false, nil))
	publish("amq.kafka", "payments", client.Table{"x-kafka-key": "account-1", "currency": "EUR", "cents": int64(17)})
	publish("ledger", "account-2", nil)
	publish("all", "account-3", nil)
	want := map[string]string{"amq.kafka/payments": "account-1", "ledger/account-2": "account-2", "all/account-3": "account-3"}
	for range len(want) {
		rec, err := next(ctx, cl)
		if err != nil {
			t.Fatal(err)
		}
		key, known := want[string(rec.Value)]
		if !known || key != string(rec.Key) {
			t.Errorf("%q has the key %q, want %q", rec.Value, rec.Key, key)
		}
		delete(want, string(rec.Value))
		if same, err := cl.ProduceSync(ctx, &kgo.Record{Key: rec.Key, Value: []byte("by Kafka")}).First(); err != nil || same.Partition != rec.Partition {
			t.Errorf("key %q is in partition %d, Kafka's producer puts it in %d: %v", rec.Key, rec.Partition, same.Partition, err)
		}
		headers := map[string]string{}
		for _, h := range rec.Headers {
			headers[h.Key] = string(h.Value)
		}
		if key == "account-1" && (headers["currency"] != "EUR" || headers["cents"] != "17" || headers["amqp.message-id"] != "m") {
			t.Errorf("headers %v", headers)
		}
	}
	if d := r.take("copy", 1)[0]; string(d.Body) != "all/account-3" {
		t.Errorf("the queue beside it got %q", d.Body)
	}
	var refused *client.Error
	ch, err := r.conn.Channel()
	r.must(err)
	if err := ch.QueueBind("copy", "k", "ledger", false, nil); !errors.As(err, &refused) || refused.Code != client.PreconditionFailed {
		t.Errorf("a binding of such an exchange: %v", err)
	}
	// A record without a key in a compacted topic: the transaction is refused, and nothing of it happens.
	ch, err = r.conn.Channel()
	r.must(err)
	r.must(ch.Tx())
	for _, to := range []struct{ exchange, key string }{{"", "copy"}, {"amq.kafka", "compacted"}} {
		r.must(ch.Publish(to.exchange, to.key, true, false, client.Publishing{Body: []byte("x")}))
	}
	if err := ch.TxCommit(); !errors.As(err, &refused) || refused.Code != client.PreconditionFailed {
		t.Errorf("a record without a key in a compacted topic: %v", err)
	}
	if q, err := r.ch.QueueDeclarePassive("copy", true, false, false, false, nil); err != nil || q.Messages != 0 {
		t.Errorf("%+v %v: its queue has the message all the same", q, err)
	}
}

// next is the next record that is not the test's own.
func next(ctx context.Context, cl *kgo.Client) (*kgo.Record, error) {
	for {
		fetches := cl.PollRecords(ctx, 1)
		if err := fetches.Err0(); err != nil {
			return nil, err
		}
		for _, r := range fetches.Records() {
			if string(r.Value) != "by Kafka" {
				return r, nil
			}
		}
	}
}
