package batch

import (
	"bytes"
	"io"
	"sync"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// scratch is what one decompression needs; pools keep it warm so that the produce path does not allocate.
type scratch struct {
	out    []byte // decompressed bytes
	src    bytes.Reader
	gzip   gzip.Reader
	parsed parsed // the record that iteration is at
}

// A scratch holds nothing that belongs to a goroutine: no channels, no goroutines of its own.
var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

func takeScratch() *scratch { return scratchPool.Get().(*scratch) }

func (s *scratch) release() {
	if cap(s.out) > scratchKeptBytesMax {
		s.out = nil
	}
	s.src.Reset(nil)
	scratchPool.Put(s)
}

// decompress unfolds src into the scratch's buffer, at most bytesMax bytes; the result is the scratch's. Positions in
// its errors count from the start of the batch, of which src is the part behind the header.
func (s *scratch) decompress(codec Codec, src []byte, bytesMax int) ([]byte, *Error) {
	s.out = s.out[:0]
	var err *Error
	switch codec {
	case CodecNone:
		s.out = append(s.out, src...)
	case CodecGzip:
		err = s.gunzip(src, bytesMax)
	case CodecSnappy:
		err = s.unsnappy(src, bytesMax)
	case CodecLZ4:
		err = s.unlz4(src, bytesMax)
	case CodecZstd:
		err = s.unzstd(src, bytesMax)
	default:
		err = failf(ErrUnsupportedCodec, attributesAt+1, "codec %d", codec)
	}
	if err != nil {
		if err.At >= 0 && codec <= CodecZstd {
			err.At += HeaderBytes
		}
		return nil, err
	}
	return s.out, nil
}

// room makes space for n more bytes, doubling; it returns false if they would exceed bytesMax.
func (s *scratch) room(n, bytesMax int) bool {
	need := len(s.out) + n
	if need < 0 || need > bytesMax {
		return false
	}
	if need <= cap(s.out) {
		return true
	}
	grown := make([]byte, len(s.out), min(max(need, 2*cap(s.out), scratchBytesMin), max(bytesMax, need)))
	copy(grown, s.out)
	s.out = grown
	return true
}

func tooLarge(at, bytesMax int) *Error {
	return failf(ErrTooLarge, at, "records unfold to more than %d bytes", bytesMax)
}

func (s *scratch) gunzip(src []byte, bytesMax int) *Error {
	s.src.Reset(src)
	// bytes.Reader hands out single bytes, so the decoder reads no further than the stream's end.
	consumed := func() int { return len(src) - s.src.Len() }
	if err := s.gzip.Reset(&s.src); err != nil {
		return failf(ErrCorrupt, consumed(), "gzip: %v", err)
	}
	for {
		if len(s.out) == bytesMax {
			// Full to the limit: only the end may follow.
			var one [1]byte
			n, err := s.gzip.Read(one[:])
			if n == 0 && err == io.EOF {
				return nil
			}
			return tooLarge(consumed(), bytesMax)
		}
		// There is room for one byte at least, else the loop would read nothing for ever: a warm buffer may be larger
		// than the limit.
		if !s.room(1, bytesMax) {
			return tooLarge(consumed(), bytesMax)
		}
		n, err := s.gzip.Read(s.out[len(s.out):min(cap(s.out), bytesMax)])
		s.out = s.out[:len(s.out)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return failf(ErrCorrupt, consumed(), "gzip: %v", err)
		}
	}
}

// xerialMagic begins the framing that Java's snappy stream writes: then two versions of four bytes, then blocks, each
// behind its compressed length in four bytes. A batch without it is one raw block, as most other clients write.
const xerialMagic = "\x82SNAPPY\x00"

const xerialHeaderBytes = len(xerialMagic) + 8

func (s *scratch) unsnappy(src []byte, bytesMax int) *Error {
	if len(src) < len(xerialMagic) || string(src[:len(xerialMagic)]) != xerialMagic {
		return s.unsnappyBlock(src, 0, bytesMax)
	}
	if len(src) < xerialHeaderBytes {
		return failf(ErrCorrupt, len(src), "snappy: stream header of %d bytes", len(src))
	}
	at := xerialHeaderBytes
	for at < len(src) {
		length, ok := bigEndian32(src, at)
		if !ok || int(length) > len(src)-at-4 {
			return failf(ErrCorrupt, at, "snappy: block does not fit %d bytes", len(src)-at)
		}
		if err := s.unsnappyBlock(src[at+4:at+4+int(length)], at+4, bytesMax); err != nil {
			return err
		}
		at += 4 + int(length)
	}
	return nil
}

func (s *scratch) unsnappyBlock(block []byte, at, bytesMax int) *Error {
	n, err := snappy.DecodedLen(block)
	if err != nil {
		return failf(ErrCorrupt, at, "snappy: %v", err)
	}
	// A claim that no snappy block can keep is refused before memory is made for it.
	if n > snappyRatioMax*len(block) {
		return failf(ErrCorrupt, at, "snappy: %d bytes claim to unfold to %d", len(block), n)
	}
	if !s.room(n, bytesMax) {
		return tooLarge(at, bytesMax)
	}
	from := len(s.out)
	s.out = s.out[:from+n]
	if _, err := snappy.Decode(s.out[from:], block); err != nil {
		return failf(ErrCorrupt, at, "snappy: %v", err)
	}
	return nil
}

// zstdDecoder serves the whole process. It is made here, not on first use, because it hands out its decoders through
// a channel: one made inside a test's bubble could not be used outside it. DecodeAll starts no goroutine.
var zstdDecoder = newZstdDecoder()

func newZstdDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(zstdDecodersMax),
		zstd.WithDecoderMaxWindow(zstdWindowBytesMax),
		zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
}

func (s *scratch) unzstd(src []byte, bytesMax int) *Error {
	var frame zstd.Header
	if err := frame.Decode(src); err != nil {
		return failf(ErrCorrupt, 0, "zstd: %v", err)
	}
	guess := 4 * len(src)
	if frame.HasFCS {
		if frame.FrameContentSize > uint64(bytesMax) {
			return tooLarge(0, bytesMax)
		}
		guess = int(frame.FrameContentSize)
	}
	// The decoder never writes beyond the capacity it is given, so capacity is the bound: what the frame declares, or
	// else a guess that doubles; a warm buffer is large enough at once. Out of room, the decoder may say that a block
	// is bigger than a block can be. So that such a block can be told from a lack of room, there is always room for
	// one block more than the limit.
	most := bytesMax + zstdBlockBytesMax
	s.room(min(guess+zstdBlockBytesMax, most), most)
	for {
		bound := min(cap(s.out), most)
		out, err := zstdDecoder.DecodeAll(src, s.out[:0:bound])
		switch {
		case len(out) > bytesMax:
			return tooLarge(0, bytesMax)
		case err == nil:
			s.out = out
			return nil
		case err != zstd.ErrDecoderSizeExceeded && bound-len(out) >= zstdBlockBytesMax:
			return failf(ErrCorrupt, 0, "zstd: %v", err)
		case bound == most:
			return tooLarge(0, bytesMax)
		}
		s.room(min(2*bound, most), most)
	}
}
