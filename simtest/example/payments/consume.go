package payments

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What a member of the group works with.
const (
	// pollRecords is the most records between two commits of offsets.
	pollRecords = 20
	// sessionTimeout is how long the partitions of a member that died lie idle.
	sessionTimeout = 6 * time.Second
)

// newClient returns a member of the group, which commits no offsets by itself.
func newClient(topic, group string, options []kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(sessionTimeout / 3), kgo.DisableAutoCommit(),
	}, options...)...)
}

// Consume posts the payments of a topic as a member of a consumer group, until the
// context ends or something fails; the caller, or what supervises its process, then
// starts it again. options say how the cluster is reached.
func Consume(ctx context.Context, db Database, topic, group string, options ...kgo.Opt) error {
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
		records := fetches.Records()
		for _, r := range records {
			p, err := ParsePayment(string(r.Value))
			if err != nil {
				return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
			}
			if err := Post(db, p); err != nil {
				return err // not posted as far as we know: the offset stays, the record comes again
			}
		}
		// Everything polled is posted. When this fails, or we die before it, the records
		// come again and Post recognises them.
		if err := client.CommitRecords(ctx, records...); err != nil {
			return err
		}
	}
}
