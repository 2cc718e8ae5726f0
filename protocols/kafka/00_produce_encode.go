package kafka

import "github.com/twmb/franz-go/pkg/kmsg"

// The response of Produce is one that we encode ourselves, unless a leader is elsewhere: the codec compares structures by
// reflection to find out which tags there are, which was a twentieth of a node's time under single small records.
//
//	[topics: [name][partitions: [index 4][error 2][base offset 8][append time 8, 2+][log start 8, 5+]
//	    [bad records, 8+: none][message, 8+] [tags] ] [tags] ]
//	[throttle 4, 1+][tags]
//
// The test encodes the same with the codec.

// encodePlain appends a response in which no partition names another leader.
func encodePlain(w *writer, p *kmsg.ProduceResponse) {
	w.array(len(p.Topics))
	for i := range p.Topics {
		t := &p.Topics[i]
		w.string(t.Topic)
		w.array(len(t.Partitions))
		for j := range t.Partitions {
			w.produced(p.Version, &t.Partitions[j])
		}
		w.tags(0)
	}
	if p.Version >= 1 {
		w.int32(p.ThrottleMillis)
	}
	w.tags(0)
}

func (w *writer) produced(version int16, p *kmsg.ProduceResponseTopicPartition) {
	w.int32(p.Partition)
	w.int16(p.ErrorCode)
	w.int64(p.BaseOffset)
	if version >= 2 {
		w.int64(p.LogAppendTime)
	}
	if version >= 5 {
		w.int64(p.LogStartOffset)
	}
	if version >= 8 {
		w.array(0)
		w.nullableString(p.ErrorMessage)
	}
	w.tags(0)
}

// nullableString writes null as length −1, in flexible versions as 0.
func (w *writer) nullableString(s *string) {
	switch {
	case s != nil:
		w.string(*s)
	case w.flexible:
		w.own = append(w.own, 0)
	default:
		w.int16(-1)
	}
}
