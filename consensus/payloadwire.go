package consensus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tallymq/tallymq/consensus/journal"
)

// A request for payloads, little-endian: shard 8, then per name { index 8, position 4, length 4, crc 4 }.
// The answer: per payload found { place in the request 4, bytes as long as the name says }.
const nameBytes = 20

// errMalformed: a peer sent what no version of ours sends.
var errMalformed = errors.New("consensus: malformed message")

func appendNames(dst []byte, shard uint64, names []journal.Name) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, shard)
	for _, n := range names {
		dst = binary.LittleEndian.AppendUint64(dst, n.Index)
		dst = binary.LittleEndian.AppendUint32(dst, n.Position)
		dst = binary.LittleEndian.AppendUint32(dst, n.Length)
		dst = binary.LittleEndian.AppendUint32(dst, n.CRC)
	}
	return dst
}

func decodeNames(b []byte) (shard uint64, names []journal.Name, err error) {
	if len(b) < 8 || (len(b)-8)%nameBytes != 0 || (len(b)-8)/nameBytes > pullNamesMax {
		return 0, nil, fmt.Errorf("%w: names in %d bytes", errMalformed, len(b))
	}
	shard = binary.LittleEndian.Uint64(b)
	for b = b[8:]; len(b) > 0; b = b[nameBytes:] {
		names = append(names, journal.Name{
			Index:    binary.LittleEndian.Uint64(b),
			Position: binary.LittleEndian.Uint32(b[8:]),
			Length:   binary.LittleEndian.Uint32(b[12:]),
			CRC:      binary.LittleEndian.Uint32(b[16:]),
		})
	}
	return shard, names, nil
}

func decodePayloads(b []byte, names []journal.Name) ([]journal.Payload, error) {
	var found []journal.Payload
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, fmt.Errorf("%w: %d bytes behind the last payload", errMalformed, len(b))
		}
		i := binary.LittleEndian.Uint32(b)
		b = b[4:]
		if uint64(i) >= uint64(len(names)) || uint64(names[i].Length) > uint64(len(b)) {
			return nil, fmt.Errorf("%w: payload %d of %d with %d bytes left", errMalformed, i, len(names), len(b))
		}
		n := int(names[i].Length)
		found = append(found, journal.Payload{Name: names[i], Bytes: b[:n:n]})
		b = b[n:]
	}
	return found, nil
}

// servePayloads answers with what is here, up to a bounded size; the peer asks again for the rest.
func (h *Host) servePayloads(_ context.Context, _ NodeID, body []byte) ([]byte, error) {
	shard, names, err := decodeNames(body)
	if err != nil {
		return nil, err
	}
	r := h.replica(shard)
	if r == nil {
		return nil, ErrNoReplica
	}
	var out []byte
	for i, n := range names {
		if len(out) > 0 && len(out)+4+int(n.Length) > 2*h.o.Limits.PullBatchBytes {
			break
		}
		if int64(n.Length) > int64(h.o.Limits.CommandBytes) {
			continue
		}
		at := len(out)
		out = binary.LittleEndian.AppendUint32(out, uint32(i))
		out, err = h.payloads.ReadPayload(shard, r.replica, n, out)
		if err != nil || len(out) != at+4+int(n.Length) {
			out = out[:at] // not here, or damaged here: another peer may have it
		}
	}
	return out, nil
}
