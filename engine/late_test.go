package engine

import (
	"context"
	"slices"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/transaction"
	"github.com/tallymq/tallymq/txn"
)

// What this cluster's own nodes say again of a transaction, when its successor is open already, changes nothing: its grants, its
// decision, the offsets that it offered, its acknowledgement. In the first protocol version both have one epoch; the number
// tells them apart.
func TestOwnRetriesComeLate(t *testing.T) {
	ns := newTestCluster(t, 3)
	e, ctx := ns[0].e, context.Background()
	topic := createTopic(t, ns, "payments", 4)
	c := newFirstVersion(t, ns, "teller")
	var ps []broker.Partition
	var parts []txn.Participant
	for i := range int32(4) {
		ps = append(ps, broker.Partition{Topic: topic.ID, Index: i})
		parts = append(parts, participantOf(ps[i]))
	}
	group := txn.GroupParticipant("readers")
	begin := func(value string) {
		t.Helper()
		c.must("add partitions", func(n *testNode, p broker.TransactionalProducer) error {
			return n.e.AddPartitions(ctx, &broker.AddPartitions{TransactionalProducer: p, Partitions: ps})
		})
		c.must("add group", func(n *testNode, p broker.TransactionalProducer) error {
			return n.e.AddGroup(ctx, &broker.AddGroup{TransactionalProducer: p, Group: "readers"})
		})
		for _, p := range ps {
			c.write(p, value)
		}
	}
	end := func(commit bool) {
		t.Helper()
		c.must("end", func(n *testNode, p broker.TransactionalProducer) error {
			_, _, err := n.e.EndTransaction(ctx, &broker.EndTransaction{TransactionalProducer: p, Commit: commit})
			return err
		})
	}
	begin("first")
	end(true)
	begin("second")

	v := e.view.Load()
	slot, owner := v.Owner("teller")
	again := func(shard broker.ShardID, m command.Message) {
		t.Helper()
		if _, err := e.propose(ctx, shard, 0, m.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
	}
	for _, outcome := range []txn.Outcome{txn.Commit, txn.Abort} { // an outcome that it had, and one that it had not
		d := txn.Decision{ProducerID: txn.ProducerID(c.producer.Producer), Epoch: txn.Epoch(c.producer.Epoch), Number: 1, Outcome: outcome}
		for _, p := range append(slices.Clone(parts), group) {
			shard, _ := e.shardOf(p)
			again(shard, &command.TxnDecide{Decision: transaction.CommandOf(d), Participants: transaction.Commands([]txn.Participant{p})})
		}
	}
	for _, p := range append(slices.Clone(parts), group) {
		shard, _ := e.shardOf(p)
		again(shard, &command.TxnGrant{Slot: uint32(slot), ProducerID: c.producer.Producer, Epoch: c.producer.Epoch, Number: 1,
			Grants: []command.TxnGrantItem{{Participant: transaction.Command(p)}}})
		again(owner.Shard, &command.TxnAcknowledge{Name: "teller", Number: 1, Participants: transaction.Commands([]txn.Participant{p})})
	}
	groupSlot, groupOwner := v.Owner("readers")
	again(groupOwner.Shard, &command.TxnOffer{Group: "readers", Slot: uint32(groupSlot), SlotVersion: groupOwner.Version, Generation: -1,
		ProducerID: c.producer.Producer, Epoch: c.producer.Epoch, Number: 1, Offsets: []command.TxnOfferItem{{TopicID: topic.ID, Topic: "payments", Offset: 5}}})

	for _, p := range ps { // the second is open, and hides itself
		c.write(p, "more")
		if got, err := readCommitted(ns, p); err != nil || !slices.Equal(got, []string{"first"}) {
			t.Errorf("%v, while the second is open: %v, %v", p, got, err)
		}
	}
	end(true)
	for _, p := range ps {
		eventually(t, "the second is committed", func() error {
			if got, err := readCommitted(ns, p); err != nil || !slices.Equal(got, []string{"first", "second", "more"}) {
				return broker.Errorf(broker.CodeUnavailable, "read", p.String(), "%v, %w", got, err)
			}
			return nil
		})
	}
	var at []broker.CommittedOffset
	eventually(t, "the group's offsets", func() (err error) {
		for _, n := range ns {
			if at, err = n.e.FetchOffsets(ctx, &broker.FetchOffsets{GroupMember: broker.GroupMember{Group: "readers"}}); err == nil {
				return nil
			}
		}
		return err
	})
	if len(at) != 0 {
		t.Errorf("the group has %v, which the second transaction did not offer", at)
	}
}
