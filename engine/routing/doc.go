// Package routing says which queues a message goes to: exchanges, queues' names and the bindings between them, of one
// virtual host, with the semantics of AMQP 0-9-1 and RabbitMQ.
//
// It promises: (1) a Topology is a set: what it routes depends on the exchanges, queues and bindings it has, never on the order in which they
// came, so any two nodes with the same ones agree, on every architecture; (2) a queue gets a message at most once, however many bindings lead
// to it, and cycles of exchanges end; (3) routing takes time linear in the exchanges visited and in the bindings or trie nodes that can match,
// whatever the patterns; (4) a refusal is an *Error of a closed list of reasons and changes nothing; (5) declaring, binding, unbinding and
// deleting what is already so is no error; (6) names come out sorted.
//
// It asks its caller: (a) not route while it changes something: calls of Route may run side by side, each with a Walk of its own; (b) judge permissions
// and unknown arguments; (c) call CanPublish for messages of clients: dead letters may go to internal exchanges; (d) take CC and BCC
// out of the headers, and BCC off the message.
//
// It does not store itself, know what a queue holds, delay messages (x-delayed-message) or reach Kafka topics. Where RabbitMQ hashes
// (x-consistent-hash, x-modulus-hash), the queue chosen for a key is another than RabbitMQ's: only the distribution is the same.
//
//	message ─► exchange ─ bindings that match ─► queues
//	              │                   └─► exchanges, and so on
//	              └─ none: alternate-exchange
//
// Read topology.go first, then route.go; each type of exchange has a file: direct.go, fanout.go, topic.go, headers.go, hash.go.
package routing
