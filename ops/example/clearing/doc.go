// Command clearing is an example of what no other broker does for RabbitMQ's clients: one tx.commit over several queues and a topic of Kafka.
//
//	orders ──▶ clerks ──▶ ledger, notices    queues
//	           (tx)       cleared            a topic, which Kafka's consumers read at read_committed
//
// Clerks take orders, publish what follows from each to two queues and, by way of the exchange amq.kafka, to the topic, acknowledge
// the orders, and commit. Now and then they roll back, or drop their connections; with -bin the three nodes that the example starts are
// killed as well, one or all of them.
//
// It promises its reader: at the end every order is either where it was, and nothing follows from it, or it is gone, and in each of the
// three places exactly once; or it says what is wrong and exits with 1.
package main
