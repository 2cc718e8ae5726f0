package journal

import (
	"fmt"
)

// position is a place in the log: log segments are ordered by number.
type position struct {
	segment uint64
	offset  int64
}

func (p position) less(q position) bool {
	return p.segment < q.segment || p.segment == q.segment && p.offset < q.offset
}

func (p position) String() string { return fmt.Sprintf("%d:%d", p.segment, p.offset) }

// batchKind says what a batch is for.
type batchKind uint8

const (
	batchHead    batchKind = 1 // a checkpoint; the first two batches of a log segment, twice the same
	batchRecords batchKind = 2 // what the shards had waiting; none at all in a marker
	batchPayload batchKind = 3 // relocated payloads; never in a log segment
)

// header opens a batch. It says where it lies, so that a batch found anywhere else (misdirected, or left in a recycled
// segment) is refused, and up to where its writer knew the log to be synced: below that, an invalid batch is damage.
//
//	0      4        5     6     8        16      24    32        40      44     48         52
//	magic  version  kind  zero  segment  offset  open  sequence  length  count  directory  directory crc
//	56              64             72                               92
//	synced segment  synced offset  zero                             header crc   96
//
// Bodies follow, then the directory of count descriptors, then zeroes up to the next 4 KiB.
type header struct {
	kind         batchKind
	segment      uint64
	offset       int64
	open         uint64
	sequence     uint64
	length       uint32 // header, bodies and directory, without padding
	count        uint32
	directory    uint32 // offset of the directory in the batch
	directoryCRC uint32
	synced       position
}

const (
	headerBytes  = 96
	headerMagic  = 0x71746a62 // "bjtq"
	footerMagic  = 0x71746a66 // "fjtq"
	version      = 1
	batchLenMax  = 1<<32 - alignBytes
	headerCRCPos = headerBytes - 4
)

func align(n int64) int64 { return (n + alignBytes - 1) &^ (alignBytes - 1) }

// padded is the batch's length on disk.
func (h *header) padded() int64 { return align(int64(h.length)) }

func (h *header) put(b []byte) {
	clear(b[:headerBytes])
	le.PutUint32(b[0:], headerMagic)
	b[4], b[5] = version, byte(h.kind)
	le.PutUint64(b[8:], h.segment)
	le.PutUint64(b[16:], uint64(h.offset))
	le.PutUint64(b[24:], h.open)
	le.PutUint64(b[32:], h.sequence)
	le.PutUint32(b[40:], h.length)
	le.PutUint32(b[44:], h.count)
	le.PutUint32(b[48:], h.directory)
	le.PutUint32(b[52:], h.directoryCRC)
	le.PutUint64(b[56:], h.synced.segment)
	le.PutUint64(b[64:], uint64(h.synced.offset))
	le.PutUint32(b[headerCRCPos:], checksum(b[:headerCRCPos]))
}

// decodeHeader accepts a header only at the place it was written for.
func decodeHeader(b []byte, segment uint64, offset int64) (h header, err error) {
	if len(b) < headerBytes {
		return h, fmt.Errorf("header: %d bytes", len(b))
	}
	if le.Uint32(b) != headerMagic || b[4] != version {
		return h, fmt.Errorf("header: no batch of version %d", version)
	}
	if checksum(b[:headerCRCPos]) != le.Uint32(b[headerCRCPos:]) {
		return h, fmt.Errorf("header: checksum")
	}
	h = header{
		kind: batchKind(b[5]), segment: le.Uint64(b[8:]), offset: int64(le.Uint64(b[16:])), open: le.Uint64(b[24:]),
		sequence: le.Uint64(b[32:]), length: le.Uint32(b[40:]), count: le.Uint32(b[44:]), directory: le.Uint32(b[48:]),
		directoryCRC: le.Uint32(b[52:]), synced: position{le.Uint64(b[56:]), int64(le.Uint64(b[64:]))},
	}
	if h.segment != segment || h.offset != offset {
		return h, fmt.Errorf("header: of %d:%d found at %d:%d", h.segment, h.offset, segment, offset)
	}
	for _, z := range b[72:headerCRCPos] {
		if z != 0 {
			return h, fmt.Errorf("header: padding")
		}
	}
	if b[6]|b[7] != 0 || h.kind < batchHead || h.kind > batchPayload || h.directory < headerBytes ||
		uint64(h.directory)+uint64(h.count)*descriptorBytes != uint64(h.length) || h.length > batchLenMax {
		return h, fmt.Errorf("header: inconsistent")
	}
	return h, nil
}

// foreignVersion tells a whole header at its place that another format version wrote. Whatever changes, magic, version,
// place and checksum stay where they are, so that no version takes another's segments for garbage.
func foreignVersion(b []byte, segment uint64, offset int64) (byte, bool) {
	if len(b) < headerBytes || le.Uint32(b) != headerMagic || b[4] == version || checksum(b[:headerCRCPos]) != le.Uint32(b[headerCRCPos:]) {
		return 0, false
	}
	return b[4], le.Uint64(b[8:]) == segment && int64(le.Uint64(b[16:])) == offset
}

// decodeDirectory gives the records of a batch; b holds all of it. A body that fails its checksum is marked bad: whether
// that is a torn write or damage only the tail rule can say.
func decodeDirectory(h *header, b []byte) (rs []record, bad int, err error) {
	if uint64(len(b)) < uint64(h.length) {
		return nil, 0, fmt.Errorf("batch: %d of %d bytes", len(b), h.length)
	}
	dir := b[h.directory:h.length]
	if checksum(dir) != h.directoryCRC {
		return nil, 0, fmt.Errorf("batch: directory checksum")
	}
	rs = make([]record, h.count) // bounded: count * descriptorBytes <= len(b)
	for i := range rs {
		d, err := decodeDescriptor(dir[i*descriptorBytes:], h.directory)
		if err != nil {
			return nil, 0, err
		}
		body := b[d.offset : d.offset+d.length]
		rs[i] = record{descriptor: d, segment: h.segment, at: uint32(h.offset) + d.offset, body: body, bad: checksum(body) != d.crc}
		if rs[i].bad {
			bad++
		}
	}
	return rs, bad, nil
}

// seal finishes a batch in b: bodies lie there already up to used, the directory goes behind them, the header before.
// It returns the padded batch.
func (h *header) seal(b []byte, used int, parts [][]descriptor) []byte {
	h.directory, h.count = uint32(used), 0
	for _, ds := range parts {
		for i := range ds {
			ds[i].put(b[used:])
			used += descriptorBytes
		}
		h.count += uint32(len(ds))
	}
	h.length = uint32(used)
	h.directoryCRC = checksum(b[h.directory:used])
	end := align(int64(used))
	clear(b[used:end])
	h.put(b)
	return b[:end]
}
