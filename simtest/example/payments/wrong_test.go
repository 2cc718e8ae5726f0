package payments

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// commitFirst is Consume with two steps swapped: the offsets are handed on before the
// payments are posted. A consumer that dies in between loses them.
func commitFirst(ctx context.Context, db Database, topic, group string, options ...kgo.Opt) error {
	return loop(ctx, topic, group, options, func(client *kgo.Client, records []*kgo.Record) error {
		if err := client.CommitRecords(ctx, records...); err != nil {
			return err
		}
		return each(records, func(p Payment) error { return Post(db, p) })
	})
}

// noMemory is Consume with a Post that does not look whether it has posted before.
// What is delivered again, after a crash or a rebalance, is posted again.
func noMemory(ctx context.Context, db Database, topic, group string, options ...kgo.Opt) error {
	return loop(ctx, topic, group, options, func(client *kgo.Client, records []*kgo.Record) error {
		err := each(records, func(p Payment) error {
			return db.Update(func(tx Tx) error { return credit(tx, p) })
		})
		if err != nil {
			return err
		}
		return client.CommitRecords(ctx, records...)
	})
}

// autoCommit is the client's default: every five seconds it commits what the poll
// before the last one returned. A consumer whose poll was answered, whose Post failed,
// and that polls again all the same, loses the payment.
func autoCommit(ctx context.Context, db Database, topic, group string, options ...kgo.Opt) error {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(sessionTimeout / 3),
	}, options...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil {
		for _, r := range client.PollRecords(ctx, pollRecords).Records() {
			if p, err := ParsePayment(string(r.Value)); err == nil {
				_ = Post(db, p) // "the next one will do better"
			}
		}
	}
	return ctx.Err()
}

// loop is what commitFirst and noMemory share.
func loop(ctx context.Context, topic, group string, options []kgo.Opt, step func(client *kgo.Client, records []*kgo.Record) error) error {
	client, err := newClient(topic, group, options)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollRecords(ctx, pollRecords)
		if err := fetches.Err0(); err != nil {
			return err
		}
		if err := step(client, fetches.Records()); err != nil {
			return err
		}
	}
}

func each(records []*kgo.Record, do func(p Payment) error) error {
	for _, r := range records {
		p, err := ParsePayment(string(r.Value))
		if err != nil {
			return err
		}
		if err := do(p); err != nil {
			return err
		}
	}
	return nil
}
