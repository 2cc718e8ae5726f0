package store

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
)

// decodeRows reads a whole stream.
func decodeRows(p []byte) (applied uint64, meta []byte, m rows, err error) {
	d := &rowsDecoder{r: bytes.NewReader(p)}
	if applied, meta, err = d.head(); err != nil {
		return 0, nil, nil, err
	}
	m = rows{}
	for more := true; more; {
		if more, err = d.frame(func(k, v []byte) { m[string(k)] = string(v) }); err != nil {
			return 0, nil, nil, err
		}
	}
	return applied, meta, m, nil
}

func smallStream(t testing.TB) []byte {
	return encodeRows(t, 42, []byte("meta"), rows{"": "", "a": "1", "b": strings.Repeat("x", 300), "c": ""})
}

// TestEveryFlippedBit and every truncation of a small stream is refused.
func TestEveryFlippedBit(t *testing.T) {
	stream := smallStream(t)
	if _, _, m, err := decodeRows(stream); err != nil || len(m) != 4 {
		t.Fatalf("whole stream: %v %v", m, err)
	}
	for i := range stream {
		if _, _, _, err := decodeRows(stream[:i]); !errors.Is(err, ErrStream) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		for bit := range 8 {
			flipped := bytes.Clone(stream)
			flipped[i] ^= 1 << bit
			if _, _, _, err := decodeRows(flipped); !errors.Is(err, ErrStream) {
				t.Fatalf("flip of bit %d at %d: %v", bit, i, err)
			}
		}
	}
}

// TestFramesOutOfPlace: a frame left out, doubled or moved is refused though each is right by itself.
func TestFramesOutOfPlace(t *testing.T) {
	m := rows{}
	for i := range 6 {
		m[string(rune('a'+i))] = strings.Repeat("v", frameBytesTarget/2+1)
	}
	var frames [][]byte
	e := newRowsEncoder(writerFunc(func(p []byte) (int, error) {
		frames = append(frames, bytes.Clone(p))
		return len(p), nil
	}))
	must(t, e.head(1, nil))
	for _, k := range []string{"a", "b", "c", "d", "e", "f"} {
		_, err := e.row([]byte(k), []byte(m[k]))
		must(t, err)
	}
	must(t, e.end())
	if _, _, got, err := decodeRows(bytes.Join(frames, nil)); err != nil || !maps.Equal(got, m) || len(frames) < 8 {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	for i := 2; i < len(frames)-1; i++ {
		without := append(append([][]byte{}, frames[:i]...), frames[i+1:]...)
		doubled := append(append([][]byte{}, frames[:i+1]...), frames[i:]...)
		swapped := append([][]byte{}, frames...)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		for name, wrong := range map[string][][]byte{"without": without, "doubled": doubled, "swapped": swapped} {
			if _, _, _, err := decodeRows(bytes.Join(wrong, nil)); !errors.Is(err, ErrStream) {
				t.Fatalf("%s %d: %v", name, i, err)
			}
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestGoldenStream: version 1 stays readable for ever.
func TestGoldenStream(t *testing.T) {
	const golden = "tallyrow\x01" +
		"h\x00\x00\x00\x09\xf2\xf6\xca\xb0\x00\x00\x00\x00\x00\x00\x00\x05m" +
		"r\x00\x00\x00\x08\xce\xc7\xa8\x2f\x01a\x011\x01b\x012" +
		"e\x00\x00\x00\x08\x13\x18\xf8\x08\x00\x00\x00\x00\x00\x00\x00\x02"
	m := rows{"a": "1", "b": "2"}
	if got := encodeRows(t, 5, []byte("m"), m); string(got) != golden {
		t.Fatalf("encoded\n%q\nwant\n%q", got, golden)
	}
	applied, meta, got, err := decodeRows([]byte(golden))
	if err != nil || applied != 5 || string(meta) != "m" || !maps.Equal(got, m) {
		t.Fatalf("%d %s %v %v", applied, meta, got, err)
	}
}

// FuzzRowsStream: no panic; memory for a payload is bounded by what really came; what is accepted encodes to a stream
// that reads the same.
func FuzzRowsStream(f *testing.F) {
	f.Add(smallStream(f))
	f.Add(encodeRows(f, 0, nil, rows{}))
	f.Add(smallStream(f)[:40])
	f.Fuzz(func(t *testing.T, p []byte) {
		// Checksums would keep the fuzzer out: put the right ones in, frame by frame.
		p = resum(bytes.Clone(p))
		d := &rowsDecoder{r: bytes.NewReader(p)}
		_, _, _ = d.head()
		if d.payload.Cap() > 4*(len(p)+readStepBytes) {
			t.Fatalf("%d bytes made a buffer of %d", len(p), d.payload.Cap())
		}
		applied, meta, m, err := decodeRows(p)
		if err != nil {
			if !errors.Is(err, ErrStream) {
				t.Fatalf("not ErrStream: %v", err)
			}
			return
		}
		applied2, meta2, m2, err := decodeRows(encodeRows(t, applied, meta, m))
		if err != nil || applied2 != applied || !bytes.Equal(meta, meta2) || !maps.Equal(m, m2) {
			t.Fatalf("read again: %v", err)
		}
	})
}

func resum(p []byte) []byte {
	const start = len(streamMagic) + 1
	for at, number := start, uint32(0); at+frameHeaderBytes <= len(p); number++ {
		n := int(uint32(p[at+1])<<24 | uint32(p[at+2])<<16 | uint32(p[at+3])<<8 | uint32(p[at+4]))
		if n > len(p)-at-frameHeaderBytes {
			break
		}
		sum := frameSum(p[at:], number, p[at+frameHeaderBytes:at+frameHeaderBytes+n])
		p[at+5], p[at+6], p[at+7], p[at+8] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		at += frameHeaderBytes + n
	}
	return p
}
