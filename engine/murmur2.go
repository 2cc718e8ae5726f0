package engine

import "encoding/binary"

// partitionFor is the partition in which Kafka's clients put a record with this key (org.apache.kafka.common.utils.Utils.murmur2,
// DefaultPartitioner): records of one key lie in one partition, whichever protocol they came by.
func partitionFor(key []byte, partitions int) int32 {
	return int32(murmur2(key)&0x7fffffff) % int32(partitions)
}

// murmur2 is Austin Appleby's MurmurHash2 of 32 bits with the seed of Kafka's clients.
func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
