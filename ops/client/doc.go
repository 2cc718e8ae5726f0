// Package client holds the commands of tallymq that are clients of a broker: topic,
// group, produce and consume. They speak Kafka's protocol, so each works against
// any Kafka broker too.
//
// It promises: (1) people get tables, --json gives the same facts for machines, one
// JSON value per line where there can be many; (2) an error of the broker is printed
// with its name and makes the exit code 1; (3) long work shows progress on stderr.
//
// Read globals.go first.
package client
