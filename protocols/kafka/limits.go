package kafka

import (
	"errors"
	"fmt"
	"time"
)

// What is fixed, each with its reason.
const (
	// headerBytesMin is the smallest request header: key, version, correlation id.
	headerBytesMin = 8
	// headBytes are read ahead per connection; an idle connection keeps no other buffer. Most requests without
	// records fit, so they cost one read.
	headBytes = 512
	// freeFrameBytes is the size up to which a request is not charged to the node's budget, so that heartbeats pass
	// while producers wait for room.
	freeFrameBytes = 4 << 10
	// firstFrameBytes is what a connection gets for a request before it ever sent a larger one whole.
	firstFrameBytes = 16 << 10
	// frameGrowth is the factor by which a frame's buffer grows as bytes arrive: copies stay below a third of it.
	frameGrowth = 4
	// readStepBytes must arrive within ReadTimeout, else the sender stalled.
	readStepBytes = 256 << 10
	// writeStepBytes must leave within WriteTimeout, else the reader stalled.
	writeStepBytes = 256 << 10
	// slotsMax bounds the requests of one connection whose responses did not leave yet.
	slotsMax = 256
	// responsesPerWrite bounds what one write gathers.
	responsesPerWrite = 64
	// spliceBytesMin is the size from which a batch is handed to the socket as it lies; smaller ones are copied, since a
	// vector element costs more than that copy.
	spliceBytesMin = 4 << 10
	// fetchShare is the part of the room left for unsent fetched bytes that one fetch may take.
	fetchShare = 4
	// fetchBytesMin may always be fetched, however much is unsent.
	fetchBytesMin = 64 << 10
	// fetchBytesMax bounds one response (Kafka's fetch.max.bytes on the broker is 55 MiB).
	fetchBytesMax = 50 << 20
	// fetchWaitMax bounds a long poll: a client that went away behind pipelined requests is noticed after it.
	fetchWaitMax = 60 * time.Second
	// fetchSessionKeep is how long a session that nobody uses is kept when another wants its room (Kafka's
	// MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS).
	fetchSessionKeep = 2 * time.Minute
	// fetchSessionNameBytesMax is the longest topic name that a session remembers: no topic has a longer one.
	fetchSessionNameBytesMax = 249
	// produceWaitMin and produceWaitMax bound what a client may ask Append to wait.
	produceWaitMin = 100 * time.Millisecond
	produceWaitMax = 2 * time.Minute
	// writeWaitMin is granted to admin requests that name less: 0 means "do not wait" in Kafka, never "do not do it".
	writeWaitMin = time.Second
	// requestWaitMax bounds all requests that do not wait by their nature; past it an outcome is unknown.
	requestWaitMax = 30 * time.Second
	// groupWaitSlack is added to a rebalance's time-out before JoinGroup and SyncGroup are given up.
	groupWaitSlack = 10 * time.Second
	// groupWaitMax bounds JoinGroup and SyncGroup whatever time-out the client names.
	groupWaitMax = 2 * time.Hour
	// describedPartitionsMax bounds the partitions of one page of DescribeTopicPartitions (Kafka's
	// max.request.partition.size.limit).
	describedPartitionsMax = 2000
	// fanOutMax bounds the partitions or topics of one request that are asked for at once.
	fanOutMax = 16
	// tagsMax bounds the tagged fields of a request: the codec loops over a claimed count and keeps a map of them.
	tagsMax = 64
	// messageBytesMax bounds the text of an error in a response; the codec cuts string lengths to 16 bits unseen.
	messageBytesMax = 1 << 10
	// pooledBytesMin and pooledBytesMax are the sizes of buffers that are kept for reuse.
	pooledBytesMin = 4 << 10
	pooledBytesMax = 4 << 20
	// acceptRetryMin and acceptRetryMax bound the pause after an accept failed (out of file descriptors).
	acceptRetryMin = 5 * time.Millisecond
	acceptRetryMax = time.Second
	// complaintsMax lines about bad peers are logged per complaintsPeriod; the rest are counted.
	complaintsMax    = 20
	complaintsPeriod = 10 * time.Second
)

// Limits bound what clients can take. A zero field has the default.
type Limits struct {
	// RequestBytesMax bounds a Produce request (default 100 MiB, Kafka's socket.request.max.bytes).
	RequestBytesMax int
	// ControlBytesMax bounds every other request (default 8 MiB: a fetch of 100,000 partitions).
	ControlBytesMax int
	// ConnectionBytesMax bounds the bytes of one connection's requests that are not answered; one larger request may
	// be alone (default 64 MiB).
	ConnectionBytesMax int64
	// NodeBytesMax bounds the same over all connections; one request at a time may exceed it, so that reading always
	// goes on (default 512 MiB).
	NodeBytesMax int64
	// FetchBytesMax bounds fetched bytes that are not sent, over all connections (default 512 MiB). As it fills, fetches get smaller, never refused.
	FetchBytesMax int64
	// FetchSessionsMax bounds the fetch sessions of the node (default 10,000; Kafka's max.incremental.fetch.session.cache.slots is 1,000),
	// FetchSessionPartitionsMax the partitions in all of them (default 200,000, some 200 bytes each). Who gets none fetches in full.
	FetchSessionsMax          int
	FetchSessionPartitionsMax int
	// ConnectionsMax bounds the connections of the node (default 20,000), ConnectionsPerAddressMax those of one address (default 20,000).
	ConnectionsMax           int
	ConnectionsPerAddressMax int
	// IdleTimeout ends a connection that sends nothing (default 10 minutes, Kafka's connections.max.idle.ms).
	IdleTimeout time.Duration
	// ReadTimeout and WriteTimeout end a connection that moves less than a step's bytes in that time (default 30 s).
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// withDefaults fills what is zero.
func (l Limits) withDefaults() Limits {
	orDefault(&l.RequestBytesMax, 100<<20)
	orDefault(&l.ControlBytesMax, min(8<<20, l.RequestBytesMax))
	orDefault(&l.ConnectionBytesMax, 64<<20)
	orDefault(&l.NodeBytesMax, 512<<20)
	orDefault(&l.FetchBytesMax, 512<<20)
	orDefault(&l.FetchSessionsMax, 10_000)
	orDefault(&l.FetchSessionPartitionsMax, 200_000)
	orDefault(&l.ConnectionsMax, 20_000)
	orDefault(&l.ConnectionsPerAddressMax, l.ConnectionsMax)
	orDefault(&l.IdleTimeout, 10*time.Minute)
	orDefault(&l.ReadTimeout, 30*time.Second)
	orDefault(&l.WriteTimeout, 30*time.Second)
	return l
}

// Validate says what does not fit together, all of it.
func (l Limits) Validate() error {
	var errs []error
	positive := func(name string, v int64) {
		if v <= 0 {
			errs = append(errs, fmt.Errorf("limit %s: %d is not positive", name, v))
		}
	}
	positive("RequestBytesMax", int64(l.RequestBytesMax))
	positive("ControlBytesMax", int64(l.ControlBytesMax))
	positive("ConnectionBytesMax", l.ConnectionBytesMax)
	positive("NodeBytesMax", l.NodeBytesMax)
	positive("FetchBytesMax", l.FetchBytesMax)
	positive("FetchSessionsMax", int64(l.FetchSessionsMax))
	positive("FetchSessionPartitionsMax", int64(l.FetchSessionPartitionsMax))
	positive("ConnectionsMax", int64(l.ConnectionsMax))
	positive("ConnectionsPerAddressMax", int64(l.ConnectionsPerAddressMax))
	positive("IdleTimeout", int64(l.IdleTimeout))
	positive("ReadTimeout", int64(l.ReadTimeout))
	positive("WriteTimeout", int64(l.WriteTimeout))
	if l.ControlBytesMax > l.RequestBytesMax {
		errs = append(errs, fmt.Errorf("limit ControlBytesMax %d is above RequestBytesMax %d", l.ControlBytesMax, l.RequestBytesMax))
	}
	if l.RequestBytesMax > 1<<30 {
		errs = append(errs, fmt.Errorf("limit RequestBytesMax %d is above 1 GiB", l.RequestBytesMax))
	}
	return errors.Join(errs...)
}
