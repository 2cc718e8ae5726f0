// Command errortable asks a broker what no careful client asks, in every version of the transactional requests, and prints the errors as
// a table; with -peer it asks Apache Kafka the same, and fails where the two differ without a reason that is written down here.
package main
