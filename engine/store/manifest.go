package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// Pebble reads its manifest up to the first record that is not valid and takes the rest for one that the power cut
// off. A flipped bit in the middle would so make all rows older, in silence. But each record is synced before the next
// is begun: if a whole record lies behind an invalid one, that is damage. A flip in the last record cannot be told from
// a cut; there only the log knows that the rows are older (doc.go, d).
//
//	record: chunks that do not cross blocks of 32 KiB; chunk: masked crc32c 4 | length 2 | type 1 | payload (little-endian)
const (
	manifestBlockBytes  = 32 << 10
	manifestHeaderBytes = 4 + 2 + 1
	// The types of a chunk: a record in one piece, its first, middle and last piece.
	chunkFull, chunkFirst, chunkLast = 1, 2, 4
)

// checkManifest says whether the manifest is damaged before its last record. What it cannot read it leaves to Open.
func (s *Store) checkManifest() error {
	desc, err := pebble.Peek(s.options.Dir, s.options.FS)
	if err != nil || !desc.Exists {
		return nil
	}
	f, err := s.options.FS.Open(desc.ManifestFilename)
	if err != nil {
		return nil
	}
	p, err := io.ReadAll(f)
	if closeErr := f.Close(); err != nil || closeErr != nil {
		return nil
	}
	_, valid := walkManifest(p)
	for at := valid + 1; at+manifestHeaderBytes <= len(p); at++ {
		if n, kind := chunkAt(p, at); n > 0 && (kind == chunkFull || kind == chunkFirst) {
			return &CorruptError{File: desc.ManifestFilename, Err: fmt.Errorf("record at %d is invalid, the one at %d behind it is whole", valid, at)}
		}
	}
	return nil
}

// walkManifest returns where the last valid record begins and where the first invalid byte is.
func walkManifest(p []byte) (last, valid int) {
	for valid+manifestHeaderBytes <= len(p) {
		if left := manifestBlockBytes - valid%manifestBlockBytes; left < manifestHeaderBytes {
			valid += left
			continue
		}
		n, kind := chunkAt(p, valid)
		if n == 0 {
			break
		}
		if kind == chunkFull || kind == chunkFirst {
			last = valid
		}
		valid += n
	}
	return last, valid
}

// chunkAt is the size of the valid chunk at a place, 0 if there is none.
func chunkAt(p []byte, at int) (size int, kind byte) {
	h := p[at:]
	size, kind = manifestHeaderBytes+int(binary.LittleEndian.Uint16(h[4:6])), h[6]
	if kind < chunkFull || kind > chunkLast || size > len(h) || at%manifestBlockBytes+size > manifestBlockBytes {
		return 0, 0
	}
	sum := crc32.Checksum(h[6:size], castagnoli)
	if binary.LittleEndian.Uint32(h) != (sum>>15|sum<<17)+0xa282ead8 {
		return 0, 0
	}
	return size, kind
}

// openError marks what pebble does not: tables that the manifest names and that are gone or of another size.
func (s *Store) openError(err error) error {
	for _, text := range []string{"unknown to the objstorage provider", "object size mismatch"} {
		if strings.Contains(err.Error(), text) {
			return &CorruptError{File: s.options.Dir, Err: err}
		}
	}
	return err
}
