package journal

import (
	"bytes"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// sampleBatch is a sealed batch of a few records.
func sampleBatch(segment uint64, offset int64, bodies ...string) []byte {
	b := aligned(1 << 16)
	var ds []descriptor
	used := headerBytes
	for i, s := range bodies {
		d := descriptor{kind: kindPayload, id: replicaID{1, 2}, index: uint64(i), extra: 7, offset: uint32(used), length: uint32(len(s)), crc: checksum([]byte(s))}
		used += copy(b[used:], s)
		ds = append(ds, d)
	}
	h := header{kind: batchRecords, segment: segment, offset: offset, open: 3, sequence: 9, synced: position{segment, offset}}
	return h.seal(b, used, [][]descriptor{ds})
}

// FuzzBatch: no input makes the decoder panic or allocate beyond its length; what it accepts is written the same again.
func FuzzBatch(f *testing.F) {
	f.Add(sampleBatch(4, 8192, "a", "bc", ""), uint64(4), int64(8192))
	f.Add(sampleBatch(4, 0), uint64(4), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, segment uint64, offset int64) {
		h, err := decodeHeader(b, segment, offset)
		if err != nil {
			return
		}
		again := make([]byte, headerBytes)
		h.put(again)
		if !bytes.Equal(again, b[:headerBytes]) {
			t.Fatalf("header %+v reads and writes differently", h)
		}
		rs, bad, err := decodeDirectory(&h, b)
		if err != nil {
			return
		}
		if len(rs)*descriptorBytes > len(b) || bad > len(rs) {
			t.Fatalf("%d records, %d bad, of %d bytes", len(rs), bad, len(b))
		}
		for i := range rs {
			var d [descriptorBytes]byte
			rs[i].put(d[:])
			if at := int(h.directory) + i*descriptorBytes; !bytes.Equal(d[:], b[at:at+descriptorBytes]) {
				t.Fatalf("descriptor %v reads and writes differently", &rs[i])
			}
		}
	})
}

// FuzzDescriptor reads lines that no checksum has vouched for.
func FuzzDescriptor(f *testing.F) {
	f.Add(make([]byte, descriptorBytes), uint32(4096))
	f.Add(sampleBatch(1, 0, "x")[headerBytes+1:][:descriptorBytes], uint32(97))
	f.Fuzz(func(t *testing.T, b []byte, limit uint32) {
		if len(b) < descriptorBytes {
			return
		}
		d, err := decodeDescriptor(b, limit)
		if err != nil {
			return
		}
		if d.offset < headerBytes || uint64(d.offset)+uint64(d.length) > uint64(limit) {
			t.Fatalf("body %d+%d outside %d", d.offset, d.length, limit)
		}
		var again [descriptorBytes]byte
		if d.put(again[:]); !bytes.Equal(again[:], b[:descriptorBytes]) {
			t.Fatalf("%+v reads and writes differently", d)
		}
	})
}

// FuzzFooter reads footers whose checksums were made right, so that what they say is hostile.
func FuzzFooter(f *testing.F) {
	all := map[replicaID]*rows{{1, 1}: {entries: []row{{index: 4, length: 9}}, payloads: []row{{index: 2}}}, {2, 1}: {entries: make([]row, 300)}}
	for i := range all[replicaID{2, 1}].entries {
		all[replicaID{2, 1}].entries[i].index = uint64(i)
	}
	b, _ := encodeFooter(5, 4096, all)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if len(b) >= footerBytes {
			le.PutUint32(b[0:], footerMagic)
			b[4] = version
			le.PutUint64(b[8:], 5)
			le.PutUint64(b[16:], 4096)
			if n := int64(le.Uint32(b[24:])); footerBytes+n*groupBytes <= int64(len(b)) {
				le.PutUint32(b[32:], checksum(b[footerBytes:footerBytes+n*groupBytes]))
			}
			le.PutUint32(b[footerBytes-4:], checksum(b[:footerBytes-4]))
		}
		h, err := decodeFooterHead(b, 5, 4096)
		if err != nil {
			return
		}
		gs, err := decodeGroups(h, b)
		if err == nil && len(gs)*groupBytes > len(b) {
			t.Fatalf("%d groups of %d bytes", len(gs), len(b))
		}
		if len(b) >= alignBytes {
			block := b[:alignBytes]
			le.PutUint32(block[alignBytes-4:], placeCRC(5, 0, block[:alignBytes-4]))
			if ws, err := decodeBlock(block, 5, 0); err == nil && (len(ws) == 0 || len(ws) > rowsPerBlock) {
				t.Fatalf("%d rows", len(ws))
			}
		}
	})
}

// FuzzHead reads checkpoints whose checksums are right.
func FuzzHead(f *testing.F) {
	l := newLedger()
	l.replica(replicaID{1, 1}).begin(4)
	l.segments[3] = &segment{number: 3, end: 8192}
	f.Add(l.encodeHead(header{kind: batchHead, segment: 9}))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if len(b) < headerBytes {
			return
		}
		h := header{directory: le.Uint32(b[48:]), length: le.Uint32(b[40:]), count: le.Uint32(b[44:])}
		if uint64(h.length) > uint64(len(b)) || h.directory < headerBytes || uint64(h.directory)+uint64(h.count)*descriptorBytes != uint64(h.length) {
			return
		}
		h.directoryCRC = checksum(b[h.directory:h.length])
		if rs, _, err := decodeDirectory(&h, b); err == nil {
			_, _ = decodeHead(&h, rs)
		}
	})
}

// TestFooterRoundTrip: every row is found again, by index and by walking, through blocks and an interpolated search.
func TestFooterRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[replicaID]*rows{}
		for shard := range rapid.Uint64Range(1, 4).Draw(t, "shards") {
			s := &rows{}
			index := rapid.Uint64Range(1, 1000).Draw(t, "first")
			for range rapid.IntRange(0, 350).Draw(t, "entries") {
				s.entries = append(s.entries, row{index: index, term: index % 7, offset: uint32(index), length: 3, crc: uint32(index)})
				index += rapid.SampledFrom([]uint64{1, 1, 1, 2, 900}).Draw(t, "gap")
			}
			for range rapid.IntRange(0, 120).Draw(t, "payloads") {
				s.addPayload(row{index: rapid.Uint64Range(1, 20).Draw(t, "index"), extra: rapid.Uint32Range(0, 40).Draw(t, "position"), length: 2})
			}
			if len(s.entries)+len(s.payloads) > 0 {
				want[replicaID{shard, 1}] = s
			}
		}
		b, groups := encodeFooter(7, 8192, want)
		h, err := decodeFooterHead(b, 7, 8192)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeGroups(h, b)
		if err != nil || len(got) != len(groups) {
			t.Fatalf("%d groups, want %d: %v", len(got), len(groups), err)
		}
		table := h.tableBytes()
		found := map[replicaID]*rows{}
		for i, g := range got {
			if g != groups[i] {
				t.Fatalf("group %+v, want %+v", g, groups[i])
			}
			if found[g.id] == nil {
				found[g.id] = &rows{}
			}
			for k := g.first; k < g.first+blocksOf(g.count); k++ {
				at := table + int64(k)*alignBytes
				ws, err := decodeBlock(b[at:at+alignBytes], 7, 8192+at)
				if err != nil {
					t.Fatal(err)
				}
				if g.payloads {
					found[g.id].payloads = append(found[g.id].payloads, ws...)
				} else {
					found[g.id].entries = append(found[g.id].entries, ws...)
				}
			}
		}
		if !maps.EqualFunc(found, want, func(a, b *rows) bool { return equalRows(a.entries, b.entries) && equalRows(a.payloads, b.payloads) }) {
			t.Fatalf("rows differ")
		}
	})
}

func equalRows(a, b []row) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
