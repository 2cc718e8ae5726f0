// Command rabbitbench measures tallymq through RabbitMQ's protocol beside RabbitMQ itself, on one machine in one run: three nodes each, durable
// replicated queues (RabbitMQ: quorum queues), plain amqp091-go, messages of 1 KiB.
//
//	confirm, confirm8   publishes with confirms, 100 in flight a connection, 4 connections, into one queue or eight
//	flow                the same into eight queues while 4 consumers with prefetch 200 acknowledge each message
//	tx10                transactions of ten publishes to one queue, 4 connections
//
// It promises: targets take turns, a rate counts what was confirmed or committed within the time that counts, and RabbitMQ is left out, and said to be,
// where it is not installed (apt-get install rabbitmq-server). The client's own work, which is the same for both, is in the figures.
package main
