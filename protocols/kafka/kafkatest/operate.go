package kafkatest

import (
	"cmp"
	"context"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
)

// LogDir has every log.
func (b *Broker) LogDir(context.Context) (broker.LogDir, error) {
	if err := b.refuse("log dir", ""); err != nil {
		return broker.LogDir{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := broker.LogDir{Path: "/data", TotalBytes: 1000, FreeBytes: -1}
	for name, t := range b.topics {
		for i, l := range t.logs {
			size := int64(0)
			for _, s := range l.batches {
				size += int64(len(s.bytes))
			}
			d.Logs = append(d.Logs, broker.LogSize{Topic: name, Index: int32(i), Bytes: size})
		}
	}
	slices.SortFunc(d.Logs, func(a, b broker.LogSize) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index))
	})
	return d, nil
}

// ElectLeaders finds that node 1 leads everything, unless Refuse says otherwise.
func (b *Broker) ElectLeaders(_ context.Context, _ broker.Client, ps []broker.Partition) []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		if errs[i] = b.refuse("elect", p.String()); errs[i] == nil && p.Index == 0 {
			errs[i] = broker.Refuse(broker.CodeElectionNotNeeded, "elect leader", p.String())
		}
	}
	return errs
}

// CatalogQuorum is node 1, and the Members as observers.
func (b *Broker) CatalogQuorum(context.Context) (broker.Quorum, error) {
	q := broker.Quorum{Leader: 1, Epoch: 3, Applied: 7, Replicas: []broker.QuorumReplica{{Node: 1, Voting: true, Applied: 7}}}
	for _, n := range b.Members {
		q.Replicas = append(q.Replicas, broker.QuorumReplica{Node: n.ID, Applied: -1})
	}
	return q, b.refuse("quorum", "")
}
