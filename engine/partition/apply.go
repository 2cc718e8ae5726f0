package partition

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Apply applies one command and appends its result's bytes to dst. Rows that are certain are written to w at once,
// the rest by Flush. An error means that the command cannot be read: the log was written by a newer version, or it is
// damaged; the machine is unchanged and must stop, since the others may have understood it.
func (m *Machine) Apply(ctx Context, body []byte, w keyspace.Writer, dst []byte) ([]byte, error) {
	kind, err := command.KindOf(body)
	if err != nil {
		return dst, err
	}
	m.LeaderStart(ctx.Term)
	from, noted := len(dst), body
	switch kind {
	case command.KindAppend:
		c := &m.appendCommand
		if err := c.Decode(body); err != nil {
			return dst, err
		}
		noted = body[:len(body)-len(c.Payload)]
		c.Payload = nil // borrowed
		r := m.append(ctx, c, uint32(len(noted)), w)
		dst = r.AppendTo(dst)
	case command.KindPartitionCreate:
		var c command.PartitionCreate
		if err := c.Decode(body); err != nil {
			return dst, err
		}
		r := m.create(&c)
		dst = r.AppendTo(dst)
	case command.KindPartitionConfigure:
		var c command.PartitionConfigure
		if err := c.Decode(body); err != nil {
			return dst, err
		}
		r := m.configure(&c)
		dst = r.AppendTo(dst)
	case command.KindPartitionDelete:
		var c command.PartitionDelete
		if err := c.Decode(body); err != nil {
			return dst, err
		}
		r := m.delete(&c, w)
		dst = r.AppendTo(dst)
	case command.KindPartitionTrim:
		var c command.PartitionTrim
		if err := c.Decode(body); err != nil {
			return dst, err
		}
		r := m.trim(&c, w)
		dst = r.AppendTo(dst)
	case command.KindPartitionCompact:
		var c command.PartitionCompact
		if err := c.Decode(body); err != nil {
			return dst, err
		}
		noted = body[:len(body)-len(c.Payload)]
		r := m.compact(ctx, &c, uint32(len(noted)), w)
		dst = r.AppendTo(dst)
	case command.KindSweep:
		var c command.Sweep
		if err := c.Decode(body); err != nil {
			return dst, err
		}
		r := m.sweep(ctx, &c, w)
		dst = r.AppendTo(dst)
	case command.KindCheck:
		var c command.Check
		if err := c.Decode(body); err != nil {
			return dst, err
		}
		r := m.check(ctx, &c)
		dst = r.AppendTo(dst)
	default:
		return dst, fmt.Errorf("partition: %w: %v is not for this machine", command.ErrUnknownKind, kind)
	}
	m.Fold(noted, dst[from:])
	return dst, nil
}

// refused is the answer about a partition that the shard does not own.
func refused(code broker.Code) command.PartitionResult {
	return command.PartitionResult{Code: code, Next: -1, LogStart: -1}
}

func answer(p *partition) command.PartitionResult {
	return command.PartitionResult{Next: p.Next, LogStart: p.Start}
}

// check compares what this replica noted at the index named, and notes the digest here. The digest is the one before
// this command.
func (m *Machine) check(ctx Context, c *command.Check) command.CheckResult {
	code := broker.CodeNone
	if c.At != 0 && c.At == m.noted.index && command.Digest(c.Digest) != m.noted.digest {
		code = broker.CodeCorrupt
		m.diverged = true
	}
	m.noted = note{ctx.Index, m.digest}
	return command.CheckResult{Code: code, At: ctx.Index, Digest: uint64(m.digest)}
}
