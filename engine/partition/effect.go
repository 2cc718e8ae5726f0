package partition

import (
	"fmt"
	"strings"
)

// Change is what happened to a partition, or to the shard; several may be true at once.
type Change uint8

// The changes.
const (
	Created Change = 1 << iota
	Configured
	Appended  // Head.Next grew: long polls may have something to read
	Trimmed   // Head.Start grew
	Deleted   // the partition is gone; Head is its last
	Compacted // rows between Start and Next were replaced
	// Diverged: this replica's digest is not the one that another replica had at the same index. Head is empty.
	Diverged
)

// String lists the changes.
func (c Change) String() string {
	var words []string
	for i, name := range []string{"created", "configured", "appended", "trimmed", "deleted", "compacted", "diverged"} {
		if c&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(words, "+")
}

// Effect tells the engine what changed in a batch of commands: one per partition that changed, in the order in which
// they first did.
type Effect struct {
	Change Change
	Head   Head
}

// String is one line.
func (e Effect) String() string {
	if e.Change == Diverged {
		return e.Change.String()
	}
	return fmt.Sprintf("%v: %v", e.Change, e.Head.String())
}
