package routing

import "fmt"

// Reason is why something is refused. The list is closed; the comment is AMQP's reply code.
type Reason uint8

// Reasons.
const (
	UnknownExchange Reason = iota + 1 // NOT_FOUND
	UnknownQueue                      // NOT_FOUND
	Forbidden                         // ACCESS_REFUSED: a reserved name, the default or an internal exchange
	Inequivalent                      // PRECONDITION_FAILED: it exists, and is another
	InUse                             // PRECONDITION_FAILED: it has bindings
	InvalidArgument                   // PRECONDITION_FAILED
	UnknownType                       // COMMAND_INVALID: no such type of exchange
	TooMany                           // RESOURCE_ERROR: a limit of the virtual host
	reasonCount
)

var reasonNames = [reasonCount]string{"", "unknown exchange", "unknown queue", "forbidden", "inequivalent", "in use", "invalid argument", "unknown type", "too many"}

func (r Reason) String() string {
	if r < reasonCount {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason-%d", uint8(r))
}

// Reasons lists all of them, so that a front end can be tested to map each.
func Reasons() (all []Reason) {
	for r := UnknownExchange; r < reasonCount; r++ {
		all = append(all, r)
	}
	return all
}

// Error is a refusal: nothing was changed.
type Error struct {
	Reason Reason
	Text   string // in RabbitMQ's words
}

func (e *Error) Error() string { return fmt.Sprintf("%v: %s", e.Reason, e.Text) }

func refuse(r Reason, format string, args ...any) error {
	return &Error{Reason: r, Text: fmt.Sprintf(format, args...)}
}
