package journal

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"slices"
)

// A footer is the index of a sealed segment. It lies behind the last batch.
//
//	0      4        5     8        16      24      28      32         36    60
//	magic  version  zero  segment  offset  groups  blocks  table crc  zero  header crc   64
//	groups of 56 bytes, zeroes up to 4 KiB, then blocks of 4 KiB:
//	102 rows of 40 bytes, their number, zeroes, and a checksum that covers the place.
//
// A group is one replica's entries, or its payloads: the blocks from first on hold its rows in order.
type group struct {
	id       replicaID
	payloads bool
	first    uint32 // block
	count    uint32 // rows
	min, max uint64 // index
	bytes    uint64 // of the bodies
}

const (
	footerBytes  = 64
	groupBytes   = 56
	rowsPerBlock = 102
	groupsMax    = 1 << 24
)

func blocksOf(rows uint32) uint32 { return (rows + rowsPerBlock - 1) / rowsPerBlock }

// footerRoom bounds the length of a footer from above.
func footerRoom(rows, groups int) int64 {
	return align(footerBytes+int64(groups)*groupBytes) + alignBytes*(int64(rows)/rowsPerBlock+int64(groups))
}

func placeCRC(segment uint64, offset int64, b []byte) uint32 {
	var place [16]byte
	le.PutUint64(place[0:], segment)
	le.PutUint64(place[8:], uint64(offset))
	return crc32.Update(checksum(place[:]), castagnoli, b)
}

func byGroup(a, b group) int {
	if c := cmp.Compare(a.id.shard, b.id.shard); c != 0 {
		return c
	}
	if c := cmp.Compare(a.id.replica, b.id.replica); c != 0 {
		return c
	}
	switch {
	case a.payloads == b.payloads:
		return 0
	case b.payloads:
		return -1
	}
	return 1
}

// encodeFooter lays out the index of a segment whose batches end at offset.
func encodeFooter(segment uint64, offset int64, all map[replicaID]*rows) (b []byte, groups []group) {
	lists := map[group][]row{}
	add := func(id replicaID, payloads bool, ws []row) {
		if len(ws) == 0 {
			return
		}
		g := group{id: id, payloads: payloads, count: uint32(len(ws)), min: ws[0].index, max: ws[len(ws)-1].index}
		for i := range ws {
			g.bytes += uint64(ws[i].length)
		}
		groups = append(groups, g)
		lists[group{id: id, payloads: payloads}] = ws
	}
	for id, rs := range all {
		add(id, false, rs.entries)
		add(id, true, rs.payloads)
	}
	slices.SortFunc(groups, byGroup)
	blocks := uint32(0)
	for i := range groups {
		groups[i].first = blocks
		blocks += blocksOf(groups[i].count)
	}
	table := align(footerBytes + int64(len(groups))*groupBytes)
	b = aligned(table + int64(blocks)*alignBytes)
	for i, g := range groups {
		p := b[footerBytes+i*groupBytes:]
		le.PutUint64(p[0:], g.id.shard)
		le.PutUint64(p[8:], g.id.replica)
		if g.payloads {
			p[16] = 1
		}
		le.PutUint32(p[20:], g.first)
		le.PutUint32(p[24:], g.count)
		le.PutUint64(p[32:], g.min)
		le.PutUint64(p[40:], g.max)
		le.PutUint64(p[48:], g.bytes)
		ws := lists[group{id: g.id, payloads: g.payloads}]
		for k := int64(g.first); len(ws) > 0; k++ {
			n := min(len(ws), rowsPerBlock)
			at := table + k*alignBytes
			putBlock(b[at:at+alignBytes], segment, offset+at, ws[:n])
			ws = ws[n:]
		}
	}
	le.PutUint32(b[0:], footerMagic)
	b[4] = version
	le.PutUint64(b[8:], segment)
	le.PutUint64(b[16:], uint64(offset))
	le.PutUint32(b[24:], uint32(len(groups)))
	le.PutUint32(b[28:], blocks)
	le.PutUint32(b[32:], checksum(b[footerBytes:footerBytes+len(groups)*groupBytes]))
	le.PutUint32(b[footerBytes-4:], checksum(b[:footerBytes-4]))
	return b, groups
}

// footerHead is what the first 64 bytes of a footer say.
type footerHead struct {
	groups, blocks, tableCRC uint32
}

func (f footerHead) tableBytes() int64 { return align(footerBytes + int64(f.groups)*groupBytes) }

func decodeFooterHead(b []byte, segment uint64, offset int64) (f footerHead, err error) {
	if len(b) < footerBytes || le.Uint32(b) != footerMagic || b[4] != version {
		return f, fmt.Errorf("footer: none of version %d", version)
	}
	if checksum(b[:footerBytes-4]) != le.Uint32(b[footerBytes-4:]) {
		return f, fmt.Errorf("footer: checksum")
	}
	if s, o := le.Uint64(b[8:]), int64(le.Uint64(b[16:])); s != segment || o != offset {
		return f, fmt.Errorf("footer: of %d:%d found at %d:%d", s, o, segment, offset)
	}
	f = footerHead{le.Uint32(b[24:]), le.Uint32(b[28:]), le.Uint32(b[32:])}
	if f.groups > groupsMax {
		return f, fmt.Errorf("footer: %d groups", f.groups)
	}
	return f, nil
}

// decodeGroups reads the table; b begins at the footer.
func decodeGroups(f footerHead, b []byte) ([]group, error) {
	end := footerBytes + int64(f.groups)*groupBytes
	if int64(len(b)) < end {
		return nil, fmt.Errorf("footer: table of %d bytes in %d", end, len(b))
	}
	if checksum(b[footerBytes:end]) != f.tableCRC {
		return nil, fmt.Errorf("footer: table checksum")
	}
	gs := make([]group, f.groups)
	next := uint32(0)
	for i := range gs {
		p := b[footerBytes+i*groupBytes:]
		gs[i] = group{
			id: replicaID{le.Uint64(p), le.Uint64(p[8:])}, payloads: p[16] == 1, first: le.Uint32(p[20:]), count: le.Uint32(p[24:]),
			min: le.Uint64(p[32:]), max: le.Uint64(p[40:]), bytes: le.Uint64(p[48:]),
		}
		g := &gs[i]
		if p[16] > 1 || g.count == 0 || g.first != next || g.min > g.max || i > 0 && byGroup(gs[i-1], *g) >= 0 {
			return nil, fmt.Errorf("footer: group %d inconsistent", i)
		}
		next += blocksOf(g.count)
	}
	if next != f.blocks {
		return nil, fmt.Errorf("footer: %d blocks, %d named", f.blocks, next)
	}
	return gs, nil
}

func putBlock(b []byte, segment uint64, offset int64, ws []row) {
	for i := range ws {
		ws[i].put(b[i*rowBytes:])
	}
	le.PutUint32(b[rowsPerBlock*rowBytes:], uint32(len(ws)))
	le.PutUint32(b[alignBytes-4:], placeCRC(segment, offset, b[:alignBytes-4]))
}

// decodeBlock checks a block and gives its rows.
func decodeBlock(b []byte, segment uint64, offset int64) ([]row, error) {
	if len(b) != alignBytes || placeCRC(segment, offset, b[:alignBytes-4]) != le.Uint32(b[alignBytes-4:]) {
		return nil, fmt.Errorf("footer block at %d:%d: checksum", segment, offset)
	}
	n := le.Uint32(b[rowsPerBlock*rowBytes:])
	if n == 0 || n > rowsPerBlock {
		return nil, fmt.Errorf("footer block at %d:%d: %d rows", segment, offset, n)
	}
	ws := make([]row, n)
	for i := range ws {
		ws[i] = decodeRow(b[i*rowBytes:])
	}
	return ws, nil
}
