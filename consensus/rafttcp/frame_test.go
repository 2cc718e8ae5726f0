package rafttcp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func nothing() error { return nil }

func frameOf(k kind, payload []byte) []byte {
	f := append(make([]byte, headerBytes), payload...)
	seal(f, k)
	return f
}

func readerOf(src io.Reader, buffer int) *reader {
	return &reader{in: bufio.NewReaderSize(src, buffer), arm: nothing, idle: nothing}
}

// TestFramesComeAsTheyWent, however the stream cuts them.
func TestFramesComeAsTheyWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want [][]byte
		for range rapid.IntRange(0, 5).Draw(t, "frames") {
			p := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload")
			want = append(want, p)
			stream = append(stream, frameOf(kindMessages, p)...)
		}
		var src io.Reader = bytes.NewReader(stream)
		if rapid.Bool().Draw(t, "bytewise") {
			src = iotest.OneByteReader(src)
		}
		r := readerOf(src, rapid.IntRange(headerBytes, 1000).Draw(t, "buffer"))
		for i, w := range want {
			k, got, err := r.next()
			if err != nil || k != kindMessages || !bytes.Equal(got, w) {
				t.Fatalf("frame %d: %v %q %v, want %q", i, k, got, err, w)
			}
		}
		if _, _, err := r.next(); err != io.EOF {
			t.Fatalf("at the end: %v", err)
		}
	})
}

// TestLargeFrame is longer than a piece and than what is kept.
func TestLargeFrame(t *testing.T) {
	p := bytes.Repeat([]byte("0123456789abcdef"), (3*pieceBytes+pieceBytes/2)/16)
	r := readerOf(bytes.NewReader(append(frameOf(kindChunk, p), frameOf(kindMessages, []byte("x"))...)), readBytes)
	if k, got, err := r.next(); err != nil || k != kindChunk || !bytes.Equal(got, p) {
		t.Fatalf("%v, %d bytes, %v", k, len(got), err)
	}
	if _, got, err := r.next(); err != nil || string(got) != "x" {
		t.Fatalf("%q, %v", got, err)
	}
	if cap(r.buf) > keepBytes {
		t.Errorf("%d bytes are kept for a frame of one", cap(r.buf))
	}
}

// TestEveryFlippedBitIsSeen: none of them gives a frame.
func TestEveryFlippedBitIsSeen(t *testing.T) {
	whole := frameOf(kindMessages, []byte("a payment of 12.50"))
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			if k, p, err := readerOf(bytes.NewReader(b), readBytes).next(); err == nil {
				t.Fatalf("byte %d bit %d: %v %q", i, bit, k, p)
			}
		}
	}
	for n := 1; n < len(whole); n++ {
		if _, _, err := readerOf(bytes.NewReader(whole[:n]), readBytes).next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

// TestHeaderThatLies about its length costs what was sent, not what it says.
func TestHeaderThatLies(t *testing.T) {
	f := frameOf(kindMessages, nil)
	f[8], f[9], f[10], f[11] = 0, 0, 0, 0x0f // 251 MB
	r := readerOf(bytes.NewReader(append(f, "little"...)), readBytes)
	if _, _, err := r.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if cap(r.buf) > 2*pieceBytes {
		t.Errorf("%d bytes were set aside", cap(r.buf))
	}
	f[11] = 0x7f
	if _, _, err := readerOf(bytes.NewReader(f), readBytes).next(); !errors.Is(err, errFrame) {
		t.Errorf("2 GB: %v", err)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(append(frameOf(kindMessages, []byte("one")), frameOf(kindChunk, []byte("two"))...))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: raft\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := readerOf(bytes.NewReader(b), readBytes)
		var again []byte
		for {
			k, p, err := r.next()
			if err != nil {
				break
			}
			again = append(again, frameOf(k, p)...)
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("accepted %x of %x", again, b)
		}
	})
}
