package txn

import "fmt"

// Action is what is to become of a batch.
type Action uint8

const (
	// Refuse: nothing is appended; Verdict.Code says why.
	Refuse Action = iota
	// Append: the batch is new and in order.
	Append
	// Duplicate: the batch was appended before; answer with Verdict.Original.
	Duplicate
)

// String names the action.
func (a Action) String() string {
	switch a {
	case Refuse:
		return "refuse"
	case Append:
		return "append"
	case Duplicate:
		return "duplicate"
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// Code is why a batch is refused. Kafka's error is in brackets.
type Code uint8

const (
	// None: it is not refused.
	None Code = iota
	// OutOfOrderSequence (45): a gap, an overlap, an epoch that does not begin at 0, or known sequences with other records.
	OutOfOrderSequence
	// DuplicateSequence (46): appended in this epoch, but nobody remembers any more where, nor with which records.
	// Clients take 46 for success without an offset, so it is never said of sequences that were not appended.
	DuplicateSequence
	// InvalidProducerEpoch (47): a later incarnation of the producer was here.
	InvalidProducerEpoch
)

// String names the code.
func (c Code) String() string {
	switch c {
	case None:
		return "none"
	case OutOfOrderSequence:
		return "out-of-order-sequence"
	case DuplicateSequence:
		return "duplicate-sequence"
	case InvalidProducerEpoch:
		return "invalid-producer-epoch"
	}
	return fmt.Sprintf("code(%d)", uint8(c))
}

// Verdict is Check's answer.
type Verdict struct {
	Action   Action
	Code     Code   // with Refuse
	Reason   string // with Refuse: for people, with the numbers
	Original Batch  // with Duplicate: the batch as it was appended first
}

// String is one line.
func (v Verdict) String() string {
	switch v.Action {
	case Refuse:
		return fmt.Sprintf("refuse %v: %s", v.Code, v.Reason)
	case Duplicate:
		return fmt.Sprintf("duplicate of %v", v.Original)
	}
	return v.Action.String()
}

func refuse(code Code, format string, args ...any) Verdict {
	return Verdict{Action: Refuse, Code: code, Reason: fmt.Sprintf(format, args...)}
}
