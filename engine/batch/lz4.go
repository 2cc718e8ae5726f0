package batch

import (
	"encoding/binary"
	"math/bits"

	"github.com/pierrec/lz4/v4"
)

// The LZ4 frame format, version 1.6.x, little-endian:
//
//	magic [4] | FLG [1] | BD [1] | content size [8]? | header checksum [1]
//	blocks: size [4] (bit 31: not compressed) | data | checksum [4]?
//	end mark [4] = 0 | content checksum [4]?
//
// The frame is read here rather than by a stream reader because Java's consumers read only a part of the format:
// version 1, independent blocks, no dictionary. What they cannot read must not be stored.
const (
	lz4Magic           = 0x184D2204
	lz4VersionMask     = 0xC0
	lz4Version1        = 0x40
	lz4Independent     = 0x20
	lz4BlockChecksum   = 0x10
	lz4ContentSize     = 0x08
	lz4ContentChecksum = 0x04
	lz4Reserved        = 0x02
	lz4Dictionary      = 0x01
	lz4Stored          = 1 << 31
	lz4RatioMax        = 255 // a length byte adds at most 255
)

func (s *scratch) unlz4(src []byte, bytesMax int) *Error {
	const fixed = 7
	if len(src) < fixed || binary.LittleEndian.Uint32(src) != lz4Magic {
		return failf(ErrCorrupt, 0, "lz4: no frame begins here")
	}
	flags, at := src[4], 6
	if flags&lz4VersionMask != lz4Version1 || flags&lz4Reserved != 0 {
		return failf(ErrCorrupt, 4, "lz4: flags %#x", flags)
	}
	if flags&lz4Independent == 0 || flags&lz4Dictionary != 0 {
		return failf(ErrCorrupt, 4, "lz4: dependent blocks or a dictionary, which Java consumers do not read")
	}
	blockBytesMax, ok := lz4BlockBytesMax(src[5])
	if !ok {
		return failf(ErrCorrupt, 5, "lz4: block descriptor %#x", src[5])
	}
	if flags&lz4ContentSize != 0 {
		at += 8
	}
	if at >= len(src) {
		return failf(ErrCorrupt, len(src), "lz4: frame ends in its header")
	}
	if sum := byte(xxh32(src[4:at]) >> 8); sum != src[at] {
		return failf(ErrCorrupt, at, "lz4: header checksum %#x, computed %#x", src[at], sum)
	}
	at, err := s.unlz4Blocks(src, at+1, flags, blockBytesMax, bytesMax)
	if err != nil {
		return err
	}
	if flags&lz4ContentSize != 0 {
		if claimed := binary.LittleEndian.Uint64(src[6:]); claimed != uint64(len(s.out)) {
			return failf(ErrCorrupt, 6, "lz4: content of %d bytes, declared %d", len(s.out), claimed)
		}
	}
	if flags&lz4ContentChecksum != 0 {
		if len(src)-at < 4 || binary.LittleEndian.Uint32(src[at:]) != xxh32(s.out) {
			return failf(ErrCorrupt, at, "lz4: content checksum")
		}
		at += 4
	}
	if at != len(src) {
		return failf(ErrCorrupt, at, "lz4: %d bytes follow the frame", len(src)-at)
	}
	return nil
}

// unlz4Blocks unfolds the blocks from at up to and with the end mark.
func (s *scratch) unlz4Blocks(src []byte, at int, flags byte, blockBytesMax, bytesMax int) (int, *Error) {
	for {
		if len(src)-at < 4 {
			return 0, failf(ErrCorrupt, at, "lz4: frame ends before its end mark")
		}
		word := binary.LittleEndian.Uint32(src[at:])
		size := int(word &^ lz4Stored)
		blockAt := at + 4
		if word == 0 {
			return blockAt, nil
		}
		if size > blockBytesMax || size > len(src)-blockAt {
			return 0, failf(ErrCorrupt, at, "lz4: block of %d bytes where %d are left", size, len(src)-blockAt)
		}
		block := src[blockAt : blockAt+size]
		at = blockAt + size
		if flags&lz4BlockChecksum != 0 {
			if len(src)-at < 4 || binary.LittleEndian.Uint32(src[at:]) != xxh32(block) {
				return 0, failf(ErrCorrupt, at, "lz4: block checksum")
			}
			at += 4
		}
		if err := s.unlz4Block(block, word&lz4Stored != 0, blockAt, blockBytesMax, bytesMax); err != nil {
			return 0, err
		}
	}
}

func (s *scratch) unlz4Block(block []byte, stored bool, at, blockBytesMax, bytesMax int) *Error {
	if stored {
		if !s.room(len(block), bytesMax) {
			return tooLarge(at, bytesMax)
		}
		s.out = append(s.out, block...)
		return nil
	}
	// The block does not say its size: room for the most it can be, or for what the limit leaves.
	most := min(blockBytesMax, lz4RatioMax*len(block)+lz4RatioMax)
	left := bytesMax - len(s.out)
	clipped := left < most
	s.room(min(most, left), bytesMax)
	from := len(s.out)
	n, err := lz4.UncompressBlock(block, s.out[from:from+min(most, left)])
	switch {
	case err != nil && clipped:
		return tooLarge(at, bytesMax)
	case err != nil:
		return failf(ErrCorrupt, at, "lz4: %v", err)
	}
	s.out = s.out[:from+n]
	return nil
}

// lz4BlockBytesMax reads the block descriptor: 4 is 64 KiB, each step four times the last, up to 4 MiB.
func lz4BlockBytesMax(descriptor byte) (int, bool) {
	code := int(descriptor >> 4)
	if code < 4 || code > 7 || descriptor&0x0f != 0 {
		return 0, false
	}
	return 64 << 10 << (2 * (code - 4)), true
}

// xxh32 is xxHash32 with seed 0, the checksum of LZ4 frames.
func xxh32(b []byte) uint32 {
	const p1, p2, p3, p4, p5 uint32 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
	h, n := p5, uint32(len(b))
	if len(b) >= 16 {
		v1, v2, v3, v4 := p1, p2, uint32(0), p1
		v1 += p2
		v4 = 0 - v4
		for ; len(b) >= 16; b = b[16:] {
			v1 = bits.RotateLeft32(v1+binary.LittleEndian.Uint32(b)*p2, 13) * p1
			v2 = bits.RotateLeft32(v2+binary.LittleEndian.Uint32(b[4:])*p2, 13) * p1
			v3 = bits.RotateLeft32(v3+binary.LittleEndian.Uint32(b[8:])*p2, 13) * p1
			v4 = bits.RotateLeft32(v4+binary.LittleEndian.Uint32(b[12:])*p2, 13) * p1
		}
		h = bits.RotateLeft32(v1, 1) + bits.RotateLeft32(v2, 7) + bits.RotateLeft32(v3, 12) + bits.RotateLeft32(v4, 18)
	}
	h += n
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*p3, 17) * p4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*p5, 11) * p1
	}
	h = (h ^ h>>15) * p2
	h = (h ^ h>>13) * p3
	return h ^ h>>16
}

func bigEndian32(b []byte, at int) (uint32, bool) {
	if len(b)-at < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[at:]), true
}
