package invariant

import "fmt"

// Violation is what a failed Check panics with: a type of its own so that a simulator can tell our bug from a
// library's panic.
type Violation struct {
	// Message begins with "BUG: ".
	Message string
}

// Error makes a Violation readable wherever a panic value is printed.
func (v *Violation) Error() string { return v.Message }

// Check panics with a *Violation when cond is false. The format says which belief broke, the arguments with which
// numbers.
func Check(cond bool, format string, args ...any) {
	if !cond {
		fail(format, args)
	}
}

// Unreachable panics with a *Violation: the caller believed that this line is never reached.
func Unreachable(format string, args ...any) {
	fail(format, args)
}

// AsViolation says whether a recovered panic value is a Violation, also when it was wrapped on its way.
func AsViolation(recovered any) (*Violation, bool) {
	for recovered != nil {
		if v, ok := recovered.(*Violation); ok {
			return v, true
		}
		wrapper, ok := recovered.(interface{ Unwrap() error })
		if !ok {
			return nil, false
		}
		err := wrapper.Unwrap()
		if err == nil {
			return nil, false
		}
		recovered = err
	}
	return nil, false
}

// fail is apart from Check so that Check stays small enough to be inlined.
//
//go:noinline
func fail(format string, args []any) {
	panic(&Violation{Message: "BUG: " + fmt.Sprintf(format, args...)})
}
