// Package batch reads, checks, patches and builds Kafka record batches of magic 2 (KIP-98): the form in which every
// record, whichever protocol brought it, is stored and served.
//
// It promises: (1) a batch that Validate accepts can be read by every consumer: one batch, exact length, right CRC32C,
// known codec, records whose offset deltas are 0..n-1 and whose lengths add up to the last byte; (2) Validate changes
// nothing and, once its pools are warm, allocates nothing; (3) no input makes it allocate more than the limits it was
// given, however far the bytes claim to unfold; (4) two batches have the same Fingerprint if their records, timestamps
// included, are the same, however each was compressed; (5) a refusal says which byte. It asks the caller: (a) give
// slices that nobody else writes while a call runs; (b) patch only bytes it owns; (c) treat what Records yields as
// borrowed from the batch. It does not assign offsets, judge sequences, know topics or the time.
//
// All integers are big-endian. Offsets in bytes, sizes in brackets:
//
//	 0 base offset [8]        patched when served, outside the CRC
//	 8 length [4]             bytes that follow this field
//	12 leader epoch [4]       patched when served, outside the CRC
//	16 magic [1] = 2
//	17 CRC32C [4]             of bytes 21 to the end
//	21 attributes [2]         bits 0-2 codec: 0 none 1 gzip 2 snappy 3 lz4 4 zstd
//	                          bit 3 timestamps are log append time   bit 4 transactional
//	                          bit 5 control   bit 6 base timestamp is the delete horizon
//	23 last offset delta [4]
//	27 base timestamp [8]     ms; a record's is base + delta
//	35 max timestamp [8]      ms
//	43 producer id [8]        -1: none
//	51 producer epoch [2]
//	53 base sequence [4]
//	57 number of records [4]
//	61 records                compressed as one block by the codec
//
// One record; varints are zigzag encoded, a length of -1 is null:
//
//	length varint | attributes [1] | timestamp delta varlong | offset delta varint
//	key length varint, key | value length varint, value
//	number of headers varint { key length varint, key | value length varint, value }
//
// Read validate.go first, then record.go; codec.go has the one switch over codecs.
package batch
