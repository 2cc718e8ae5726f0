package batch

import (
	"encoding/binary"
	"fmt"
)

// ControlType is what a control record says; the numbers are the wire's.
type ControlType int16

const (
	// ControlAbort and ControlCommit end a producer's transaction in one partition.
	ControlAbort  ControlType = 0
	ControlCommit ControlType = 1
)

// String names the type.
func (t ControlType) String() string {
	switch t {
	case ControlAbort:
		return "abort"
	case ControlCommit:
		return "commit"
	}
	return fmt.Sprintf("control(%d)", int16(t))
}

// ControlRecord is the one record of a control batch that ends a transaction.
//
//	key:   version [2] = 0 | type [2]
//	value: version [2] = 0 | coordinator epoch [4]
type ControlRecord struct {
	Type             ControlType
	CoordinatorEpoch int32
}

const (
	controlKeyBytes   = 4
	controlValueBytes = 6
)

// Record is the control record in the form that Builder takes.
func (c ControlRecord) Record(timestamp int64) Record {
	key := binary.BigEndian.AppendUint16(make([]byte, 0, controlKeyBytes), 0)
	key = binary.BigEndian.AppendUint16(key, uint16(c.Type))
	value := binary.BigEndian.AppendUint16(make([]byte, 0, controlValueBytes), 0)
	value = binary.BigEndian.AppendUint32(value, uint32(c.CoordinatorEpoch))
	return Record{Timestamp: timestamp, Key: key, Value: value}
}

// DecodeControl reads a control record. Later versions may only have more bytes, which are skipped, as Kafka does.
func DecodeControl(r Record) (ControlRecord, error) {
	if len(r.Key) < controlKeyBytes || int16(binary.BigEndian.Uint16(r.Key)) < 0 {
		return ControlRecord{}, failf(ErrInvalidRecord, 0, "control record with a key of %d bytes", len(r.Key))
	}
	c := ControlRecord{Type: ControlType(binary.BigEndian.Uint16(r.Key[2:]))}
	if c.Type != ControlAbort && c.Type != ControlCommit {
		return ControlRecord{}, failf(ErrInvalidRecord, 2, "control record of type %d", c.Type)
	}
	if len(r.Value) < controlValueBytes || int16(binary.BigEndian.Uint16(r.Value)) < 0 {
		return ControlRecord{}, failf(ErrInvalidRecord, 0, "control record with a value of %d bytes", len(r.Value))
	}
	c.CoordinatorEpoch = int32(binary.BigEndian.Uint32(r.Value[2:]))
	return c, nil
}
