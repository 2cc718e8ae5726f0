package command

// TrimReason is why a log start moved; for logs and the audit trail.
type TrimReason = uint8

// The reasons.
const (
	TrimByTime   TrimReason = 1
	TrimBySize   TrimReason = 2
	TrimByClient TrimReason = 3 // DeleteRecords
)
