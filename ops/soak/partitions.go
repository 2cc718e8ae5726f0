package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// topicsOfMany is how many topics hold the partitions on several nodes; one node gets one topic.
const topicsOfMany = 10

// written is the share of the partitions that get a record: one of so many.
const written = 10

// partitions makes them, writes to some, lets them idle, and kills the node that leads
// most of them.
func partitions(s *soak) error {
	before, err := each(s.cluster, settled)
	if err != nil {
		return err
	}
	idleBefore, err := idle(s.cluster)
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.Bootstrap()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	names, took, err := s.create(kadm.NewClient(cl))
	if err != nil {
		return err
	}
	s.say(s.name+": creation of all", "%.1f s", took.Seconds())
	after, err := each(s.cluster, settled)
	if err != nil {
		return err
	}
	s.judge(s.name+": heap per idle partition and replica", growth(before, after, heapOf, s.partitions), partitionHeapMax, size)
	s.say(s.name+": resident set before, after", "%s, %s", size(before[0].rss), size(after[0].rss))
	s.judge(s.name+": goroutines per partition", growth(before, after, routinesOf, s.partitions), 0.01, number)
	idleAfter, err := idle(s.cluster)
	if err != nil {
		return err
	}
	s.judge(s.name+": idle, no partitions", top(idleBefore), idleCPUMax, share)
	s.judge(s.name+": idle, all partitions", top(idleAfter), idleCPUMax, share)

	began := time.Now()
	if _, err := kadm.NewClient(cl).ListTopics(s.ctx); err != nil {
		return err
	}
	s.say(s.name+": Metadata of all", "%v", time.Since(began).Round(time.Millisecond))
	n, took, err := s.write(cl, names)
	if err != nil {
		return err
	}
	wrote, err := each(s.cluster, settled)
	if err != nil {
		return err
	}
	s.say(s.name+": one record each", "%d partitions in %.1f s", n, took.Seconds())
	s.say(s.name+": heap per written partition", "%s", size(growth(after, wrote, heapOf, n)))
	return s.restart(kadm.NewClient(cl), before)
}

// create makes the topics.
func (s *soak) create(adm *kadm.Client) (names []string, took time.Duration, err error) {
	topics := 1
	if len(s.cluster.Nodes) > 1 {
		topics = topicsOfMany
	}
	for i := range topics {
		names = append(names, fmt.Sprintf("payments-%d", i))
	}
	began := time.Now()
	adm.SetTimeoutMillis(int32(patience.Milliseconds()))
	rs, err := adm.CreateTopics(s.ctx, int32(s.partitions/topics), -1, nil, names...)
	if err == nil {
		err = rs.Error()
	}
	return names, time.Since(began), err
}

// write appends one record to every tenth partition and waits for all.
func (s *soak) write(cl *kgo.Client, names []string) (n int, took time.Duration, err error) {
	var rs []*kgo.Record
	for _, name := range names {
		for p := 0; p < s.partitions/len(names); p += written {
			rs = append(rs, &kgo.Record{Topic: name, Partition: int32(p), Value: []byte("payment")})
		}
	}
	began := time.Now()
	err = cl.ProduceSync(s.ctx, rs...).FirstErr()
	return len(rs), time.Since(began), err
}

// restart kills the node that leads most shards and starts it again.
func (s *soak) restart(adm *kadm.Client, before []sample) error {
	leads := s.cluster.Leaders(s.ctx)
	victim := s.cluster.Nodes[0]
	for _, p := range s.cluster.Nodes {
		if leads[p.ID] > leads[victim.ID] {
			victim = p
		}
	}
	if err := victim.Kill(); err != nil {
		return err
	}
	began := time.Now()
	if len(s.cluster.Nodes) > 1 {
		if err := s.led(adm, int32(victim.ID)); err != nil {
			return err
		}
		s.say(s.name+": killed a leader: all led again", "%.1f s", time.Since(began).Seconds())
		began = time.Now()
	}
	if err := victim.Start(); err != nil {
		return err
	}
	if err := s.cluster.Ready(s.ctx); err != nil {
		return err
	}
	s.say(s.name+": restart: ready", "%.1f s", time.Since(began).Seconds())
	if err := s.led(adm, -1); err != nil {
		return err
	}
	s.say(s.name+": restart: all partitions led", "%.1f s", time.Since(began).Seconds())
	after, err := each(s.cluster, settled)
	if err != nil {
		return err
	}
	s.judge(s.name+": heap per partition after it", growth(before, after, heapOf, s.partitions), partitionHeapMax, size)
	return nil
}

// led waits until every partition has a leader that is not the one named.
func (s *soak) led(adm *kadm.Client, not int32) error {
	for {
		missing := -1
		c, cancel := context.WithTimeout(s.ctx, 10*time.Second)
		ts, err := adm.ListTopics(c)
		cancel()
		if err == nil {
			all := 0
			missing = 0
			ts.EachPartition(func(p kadm.PartitionDetail) {
				all++
				if p.Err != nil || p.Leader < 0 || p.Leader == not {
					missing++
				}
			})
			if all == s.partitions && missing == 0 {
				return nil
			}
		}
		select {
		case <-s.ctx.Done():
			return fmt.Errorf("%d partitions have no leader: %w", missing, s.ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
