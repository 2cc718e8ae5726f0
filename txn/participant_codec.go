package txn

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrRow is wrapped by the errors of everything that reads rows of transactional state: the bytes are not such a row.
var ErrRow = errors.New("txn: not a row of transactional state")

// groupNameMax bounds a group's name, in bytes: Kafka's strings are no longer.
const groupNameMax = 1<<15 - 1

// AppendTo appends the participant's bytes to dst:
//
//	length of the group's name [2], big-endian, 0 for a partition | the name, or topic id [16] and partition [4]
func (p Participant) AppendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.Group)))
	if p.IsGroup() {
		return append(dst, p.Group...)
	}
	dst = append(dst, p.Topic[:]...)
	return binary.BigEndian.AppendUint32(dst, uint32(p.Partition))
}

// DecodeParticipant reads one from the beginning of b, and returns what is behind it.
func DecodeParticipant(b []byte) (Participant, []byte, error) {
	if len(b) < 2 {
		return Participant{}, nil, fmt.Errorf("%w: participant of %d bytes", ErrRow, len(b))
	}
	n, b := int(binary.BigEndian.Uint16(b)), b[2:]
	var p Participant
	switch {
	case n == 0 && len(b) >= 20:
		copy(p.Topic[:], b)
		p.Partition = int32(binary.BigEndian.Uint32(b[16:]))
		n = 20
	case n > 0 && n <= groupNameMax && len(b) >= n:
		p.Group = string(b[:n])
	default:
		return Participant{}, nil, fmt.Errorf("%w: participant with a name of %d bytes in %d", ErrRow, n, len(b))
	}
	if p.Partition < 0 {
		return Participant{}, nil, fmt.Errorf("%w: partition %d", ErrRow, p.Partition)
	}
	return p, b[n:], nil
}
