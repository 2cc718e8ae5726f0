package group

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
)

// transact runs the verbs of transactions: grant p=7/0 number=1 [committed=0], offer p=7/0 offset=10 [as commit],
// decide p=7/0 number=1 outcome=commit, unstable [topic=orders].
func (w *world) transact(verb string, a args, group string) {
	var id txn.ProducerID
	var epoch txn.Epoch
	if _, err := fmt.Sscanf(a["p"], "%d/%d", &id, &epoch); err != nil && verb != "unstable" {
		w.t.Fatal(err)
	}
	number := txn.Number(a.number("number", 0))
	topic := a["topic"]
	if topic == "" {
		topic = "orders"
	}
	ctx := Context{Index: w.index + 1, Clock: uint64(w.now), Term: 1}
	var r *txn.Refusal
	switch verb {
	case "grant":
		g := txn.Grant{ProducerID: id, Epoch: epoch, Number: number}
		if n := a.number("committed", 0); n > 0 {
			g.Earlier = []txn.Decision{{ProducerID: id, Epoch: epoch, Number: txn.Number(n), Outcome: txn.Commit}}
		}
		r = w.m.Grant(ctx, group, g, w.rows)
	case "decide":
		d := txn.Decision{ProducerID: id, Epoch: epoch, Number: number, Outcome: txn.Abort}
		if a["outcome"] == "commit" {
			d.Outcome = txn.Commit
		}
		r = w.m.Close(ctx, group, d, w.rows)
	case "unstable":
		fmt.Fprintf(&w.out, "%v\n", w.m.Unstable(group, w.ids[topic], 0))
		return
	case "offer":
		m := a.member(group)
		o := w.apply(&command.TxnOffer{Group: group, Member: m.MemberID, Instance: m.InstanceID, Generation: m.Generation, ProducerID: broker.ProducerID(id),
			Epoch: broker.ProducerEpoch(epoch), Number: uint64(number), Offsets: []command.TxnOfferItem{{TopicID: w.ids[topic], Topic: topic,
				Offset: broker.Offset(a.number("offset", 0)), LeaderEpoch: -1}}}).(*command.TxnOfferResult)
		fmt.Fprintf(&w.out, "%v %v %v\n", o.Code, txn.Code(o.Refusal), o.Codes)
		return
	}
	w.index++
	fmt.Fprintf(&w.out, "%v\n", r)
	w.commitRows()
}
