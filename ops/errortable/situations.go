package main

import "github.com/twmb/franz-go/pkg/kmsg"

// situation is a request that a broker refuses, or not: ask brings the situation about and gives the code.
type situation struct {
	api      int16
	min, max int16
	name     string
	ask      func(c *client, version int16) int16
	// differs says why the answer may be another than Kafka's, and how.
	differs string
}

func (s *situation) request() string { return kmsg.NameForKey(s.api) }

// otherProducer falsifies who asks, older its epoch.
func (c *client) otherProducer() *client { c.producer += 1000; return c }
func (c *client) older() *client {
	must("init again", c.initialise(4))
	c.epoch--
	return c
}

// unknown is a client whose id nobody has seen.
func (c *client) unknown() *client {
	c.producer, c.epoch = 1, 0
	return c
}

var situations = []situation{
	{kmsg.InitProducerID.Int16(), 0, 5, "an empty transactional id", func(c *client, v int16) int16 { c.id = ""; return c.initialise(v) }, ""},
	{kmsg.InitProducerID.Int16(), 0, 5, "a time-out of 0", func(c *client, v int16) int16 {
		q := c.initRequest()
		q.TransactionTimeoutMillis = 0
		_, code := ask(c, v, q, initCode)
		return code
	}, ""},
	{kmsg.InitProducerID.Int16(), 0, 5, "a time-out above the maximum", func(c *client, v int16) int16 {
		q := c.initRequest()
		q.TransactionTimeoutMillis = 16 * 60_000
		_, code := ask(c, v, q, initCode)
		return code
	}, ""},
	{kmsg.InitProducerID.Int16(), 3, 5, "an epoch without a producer id", func(c *client, v int16) int16 {
		q := c.initRequest()
		q.ProducerEpoch = 3
		_, code := ask(c, v, q, initCode)
		return code
	}, ""},
	{kmsg.InitProducerID.Int16(), 3, 5, "a producer id that the id never had", func(c *client, v int16) int16 {
		c.ready()
		q := c.initRequest()
		q.ProducerID, q.ProducerEpoch = c.producer+1000, 0
		_, code := ask(c, v, q, initCode)
		return code
	}, ""},
	{kmsg.InitProducerID.Int16(), 3, 5, "an older epoch", func(c *client, v int16) int16 {
		c.ready().older()
		must("init again", func() int16 { c.epoch++; return c.initialise(4) }())
		q := c.initRequest()
		q.ProducerID, q.ProducerEpoch = c.producer, c.epoch-2
		_, code := ask(c, v, q, initCode)
		return code
	}, ""},
	{kmsg.AddPartitionsToTxn.Int16(), 0, 3, "an empty transactional id", func(c *client, v int16) int16 {
		c.ready()
		topic := c.id
		q := kmsg.NewPtrAddPartitionsToTxnRequest()
		q.ProducerID, q.ProducerEpoch = c.producer, c.epoch
		q.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: []int32{0}}}
		_, code := ask(c, v, q, func(r *kmsg.AddPartitionsToTxnResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
		return code
	}, ""},
	{kmsg.AddPartitionsToTxn.Int16(), 0, 3, "an id that nobody initialised", func(c *client, v int16) int16 {
		c.createTopic()
		return c.unknown().add(v, 0)
	}, ""},
	{kmsg.AddPartitionsToTxn.Int16(), 0, 3, "another producer id", func(c *client, v int16) int16 { return c.ready().otherProducer().add(v, 0) }, ""},
	{kmsg.AddPartitionsToTxn.Int16(), 0, 3, "an older epoch", func(c *client, v int16) int16 { return c.ready().older().add(v, 0) }, ""},
	{kmsg.AddPartitionsToTxn.Int16(), 0, 3, "a partition that is not there", func(c *client, v int16) int16 { return c.ready().add(v, 77) }, ""},
	{kmsg.AddPartitionsToTxn.Int16(), 0, 3, "a partition beside one that is not there", func(c *client, v int16) int16 { return c.ready().add(v, 0, 77) }, ""},
	{kmsg.AddPartitionsToTxn.Int16(), 0, 3, "a partition twice", func(c *client, v int16) int16 { return c.ready().open().add(v, 0) }, ""},

	{kmsg.AddOffsetsToTxn.Int16(), 0, 4, "an id that nobody initialised", func(c *client, v int16) int16 { return c.unknown().addGroup(v, c.id) }, ""},
	{kmsg.AddOffsetsToTxn.Int16(), 0, 4, "another producer id", func(c *client, v int16) int16 { return c.ready().otherProducer().addGroup(v, c.id) }, ""},
	{kmsg.AddOffsetsToTxn.Int16(), 0, 4, "an older epoch", func(c *client, v int16) int16 { return c.ready().older().addGroup(v, c.id) }, ""},

	{kmsg.EndTxn.Int16(), 0, 5, "an id that nobody initialised", func(c *client, v int16) int16 { return c.unknown().end(v, true) }, ""},
	{kmsg.EndTxn.Int16(), 0, 5, "another producer id", func(c *client, v int16) int16 { return c.ready().open().otherProducer().end(v, true) }, ""},
	{kmsg.EndTxn.Int16(), 0, 5, "an older epoch", func(c *client, v int16) int16 { return c.ready().older().end(v, true) }, ""},
	{kmsg.EndTxn.Int16(), 0, 5, "commit without a transaction", func(c *client, v int16) int16 { return c.ready().end(v, true) }, ""},
	{kmsg.EndTxn.Int16(), 0, 5, "abort without a transaction", func(c *client, v int16) int16 { return c.ready().end(v, false) }, ""},
	{kmsg.EndTxn.Int16(), 0, 5, "commit of what is committed", func(c *client, v int16) int16 {
		must("commit", c.ready().open().end(v, true))
		return c.end(v, true)
	}, ""},
	{kmsg.EndTxn.Int16(), 0, 5, "abort of what is committed", func(c *client, v int16) int16 {
		must("commit", c.ready().open().end(v, true))
		return c.end(v, false)
	}, ""},
	{kmsg.EndTxn.Int16(), 0, 5, "abort of what is aborted", func(c *client, v int16) int16 {
		must("abort", c.ready().open().end(v, false))
		return c.end(v, false)
	}, ""},
	{kmsg.EndTxn.Int16(), 0, 5, "commit of what is aborted", func(c *client, v int16) int16 {
		must("abort", c.ready().open().end(v, false))
		return c.end(v, true)
	}, ""},

	{kmsg.TxnOffsetCommit.Int16(), 0, 4, "a group that is not in the transaction", func(c *client, v int16) int16 { return c.ready().open().offer(v, nil) }, ""},
	{kmsg.TxnOffsetCommit.Int16(), 5, 5, "a group that is not in the transaction", func(c *client, v int16) int16 { return c.ready().offer(v, nil) }, ""},
	{kmsg.TxnOffsetCommit.Int16(), 0, 5, "an older epoch", func(c *client, v int16) int16 {
		c.ready().open()
		must("add group", c.addGroup(3, c.id))
		must("offer", c.offer(3, nil))
		return c.older().offer(v, nil)
	}, ""},
	{kmsg.TxnOffsetCommit.Int16(), 0, 5, "another producer id", func(c *client, v int16) int16 {
		c.ready().open()
		must("add group", c.addGroup(3, c.id))
		return c.otherProducer().offer(v, nil)
	}, ""},
	{kmsg.TxnOffsetCommit.Int16(), 3, 5, "a member of a group that has none", func(c *client, v int16) int16 {
		c.ready().open()
		must("add group", c.addGroup(3, c.id))
		return c.offer(v, func(q *kmsg.TxnOffsetCommitRequest) { q.MemberID, q.Generation = "nobody", 3 })
	}, ""},
	{kmsg.TxnOffsetCommit.Int16(), 3, 5, "a generation without a member", func(c *client, v int16) int16 {
		c.ready().open()
		must("add group", c.addGroup(3, c.id))
		return c.offer(v, func(q *kmsg.TxnOffsetCommitRequest) { q.Generation = 3 })
	}, ""},
	{kmsg.TxnOffsetCommit.Int16(), 0, 5, "metadata of 5,000 bytes", func(c *client, v int16) int16 {
		c.ready().open()
		must("add group", c.addGroup(3, c.id))
		return c.offer(v, func(q *kmsg.TxnOffsetCommitRequest) {
			s := string(make([]byte, 5000))
			q.Topics[0].Partitions[0].Metadata = &s
		})
	}, ""},

	{kmsg.Produce.Int16(), 3, 12, "a batch of a partition that is in no transaction", func(c *client, v int16) int16 {
		c.ready()
		if v < 12 {
			must("add another partition", c.add(3, 1))
		}
		return c.produce(v, 0)
	}, ""},
	{kmsg.Produce.Int16(), 3, 12, "an older epoch", func(c *client, v int16) int16 { return c.ready().open().older().produce(v, 0) }, ""},
	{kmsg.Produce.Int16(), 3, 12, "a producer id that the id never had", func(c *client, v int16) int16 { return c.ready().otherProducer().produce(v, 0) }, ""},
	{kmsg.Produce.Int16(), 3, 12, "an id that nobody initialised", func(c *client, v int16) int16 {
		c.createTopic()
		return c.unknown().produce(v, 0)
	}, ""},
	{kmsg.Produce.Int16(), 3, 12, "a sequence with a gap", func(c *client, v int16) int16 {
		c.ready().open()
		c.sequence += 5
		return c.produce(v, 0)
	}, ""},
	{kmsg.Produce.Int16(), 3, 12, "the same batch again", func(c *client, v int16) int16 {
		c.ready().open()
		c.sequence--
		return c.produce(v, 0)
	}, ""},
	{kmsg.Produce.Int16(), 3, 12, "the sequences of a batch with other records", func(c *client, v int16) int16 {
		c.ready().open()
		c.sequence--
		return c.send(v, 0, "w")
	}, "Kafka takes it for a retry, and the records are lost"},

	{kmsg.DescribeTransactions.Int16(), 0, 0, "an id that nobody initialised", func(c *client, v int16) int16 {
		q := kmsg.NewPtrDescribeTransactionsRequest()
		q.TransactionalIDs = []string{c.id}
		_, code := ask(c, v, q, func(r *kmsg.DescribeTransactionsResponse) int16 { return r.TransactionStates[0].ErrorCode })
		return code
	}, ""},
	{kmsg.DescribeProducers.Int16(), 0, 0, "a partition that is not there", func(c *client, v int16) int16 {
		c.createTopic()
		q := kmsg.NewPtrDescribeProducersRequest()
		q.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: c.id, Partitions: []int32{77}}}
		_, code := ask(c, v, q, func(r *kmsg.DescribeProducersResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
		return code
	}, ""},
}
