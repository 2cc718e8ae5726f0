// Command benchmark compares tallymq with raw dragonboat, and with Apache Kafka when it
// is given one, in one run: the targets take turns, round by round, on the same disk
// with the same client, and what is printed are medians and ratios.
//
//	go run ./ops/benchmark -bin bin/tallymq -rounds 3 [-kafka DIR_WITH_JARS]
//
// Raw dragonboat means: machines that keep nothing, on our journal, the same bytes per
// proposal. Its "produce" proposes 512 KiB entries, its "single" 1 KiB ones.
package main
