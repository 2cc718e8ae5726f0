package check

import "fmt"

// who tells of an event in a few words: which client was told or given what.
func (c *checker) who(i int32) string {
	if i == none {
		return "nobody"
	}
	e := &c.index.events[i]
	o := &c.index.ops[e.op]
	v := c.index.values[e.value].text
	if e.poll {
		return fmt.Sprintf("%q at %d of %s given to %s", v, e.offset, c.index.logs[e.partition].name, c.client(e.op))
	}
	if e.offset < 0 {
		return fmt.Sprintf("%q sent to %s by %s (%v)", v, c.index.logs[e.partition].name, c.client(e.op), o.Outcome)
	}
	return fmt.Sprintf("%q sent to %d of %s by %s (%v)", v, e.offset, c.index.logs[e.partition].name, c.client(e.op), o.Outcome)
}

// client names the process of an operation, and its transaction.
func (c *checker) client(op int32) string {
	o := &c.index.ops[op]
	if o.TransactionalID != "" {
		return fmt.Sprintf("%s as %s epoch %d", o.Process, o.TransactionalID, o.Epoch)
	}
	return o.Process
}
