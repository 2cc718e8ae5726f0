// Package wire sends single requests of Kafka's protocol in any version, without a client library's care: to test what clients may do
// and libraries do not.
package wire
