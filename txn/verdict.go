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
