package engine

import (
	"time"

	"github.com/tallymq/tallymq/engine/partition"
	"github.com/tallymq/tallymq/engine/store"
)

// cleaning is a pass over a replica's reverse rows that deletes those of entries that
// hold nothing live. It is this replica's own affair: the rows are no part of the
// replicated state, so each replica cleans when it likes, in steps that ride along
// with applied batches.
type cleaning struct {
	due    bool // something was freed since the last pass began
	active bool
	next   uint64 // entry the pass goes on at
	began  time.Time
}

// clean does a step of the pass, if one goes on or is due.
func (r *replica) clean(w *store.Batch, effects []partition.Effect) error {
	if r.parts == nil {
		return nil
	}
	c := &r.cleaning
	for i := range effects {
		c.due = c.due || effects[i].Change&(partition.Trimmed|partition.Deleted|partition.Compacted) != 0
	}
	if !c.active {
		if !c.due || time.Since(c.began) < cleanEvery {
			return nil
		}
		*c = cleaning{active: true, began: time.Now()}
	}
	done, err := partition.CleanReverse(r.rows, w, c.next, r.applied.Load(), cleanRows)
	if err != nil {
		return err
	}
	c.next, c.active = done.Next, !done.Done
	return nil
}
