// Package keyspace says under which keys the machines of a replica keep their rows, and through which roles they
// read and write them.
//
// It promises: (1) byte order of keys is the order of what they encode; (2) keys of different tables never meet: a
// table is the first byte; (3) Decode functions accept exactly what the encoders can have written; (4) the encodings
// never change (testdata/golden.txt). It asks the caller for nothing but ids that are not negative where offsets and
// partitions are meant.
//
// Keys are relative to a replica: the store puts (shard, replica, generation) in front. Strings in keys are escaped
// and closed, so that "a" sorts before "ab" and no name is the prefix of another:
//
//	string:  each 00 becomes 00 FF | then 00 01
//
// Read tables.go first. Mem is an in-memory Reader and Writer for tests.
package keyspace
