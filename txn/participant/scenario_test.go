package participant_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/participant"
)

// TestScenarios runs testdata: each file is one partition and one group from their beginning. Producer and epoch are
// written 7/0, connections 3.1 (term 3, its first).
//
//	grant p=7/0 number=1 [slot=0] [earlier=(commit,1,7/0)] [to=group]   Close the earlier decision, then Grant
//	append p=7/0 [n=10] [number=1]                             Check, and Appended if it says ok
//	offer p=7/0 [connection=3.1] [term=3] part=0 offset=10     Offer to the group
//	commit | abort p=7/0 number=1 [to=group]                   Close
//	offset part=0 offset=10                                    an ordinary commit
//	stable                                                     the last stable offset, the end, and what readers skip
//	expire now=100 retention=10
//	holds [to=group]
//	describe [to=group]
//
// All take at=TIME; it rises by itself otherwise.
func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := &scenario{committed: map[int32]participant.Offset{}}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.run(t, d) })
		})
	}
}

// topic is the one that offsets are of.
var topic = [16]byte{15: 10}

type scenario struct {
	p         participant.Partition
	g         participant.Group
	next      int64
	written   uint64
	now       int64
	aborted   []participant.Aborted
	committed map[int32]participant.Offset
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string {
	a := arguments{t, d}
	s.now = a.number("at", s.now+1)
	s.written++
	id, epoch := a.producer("p")
	group := a.text("to") == "group"
	switch d.Cmd {
	case "grant":
		g := txn.Grant{ProducerID: id, Epoch: epoch, Number: txn.Number(a.number("number", 1)), Coordinator: uint16(a.number("slot", 0))}
		if e := a.list("earlier"); e != nil {
			g.Earlier = []txn.Decision{decision(t, e)}
		}
		for _, e := range g.Earlier {
			s.close(e, group)
		}
		if group {
			return s.g.Grant(g, s.now).String()
		}
		return s.p.Grant(g, s.now).String()
	case "holds":
		if group {
			return fmt.Sprintf("%+v", s.g.Holds())
		}
		return fmt.Sprintf("%+v", s.p.Holds())
	case "append":
		if r := s.p.Check(id, epoch, txn.Number(a.number("number", 0))); r != nil {
			return r.String()
		}
		s.p.Appended(id, s.next, s.now)
		s.next += a.number("n", 1)
		return fmt.Sprintf("appended up to %d", s.next-1)
	case "other":
		s.next += a.number("n", 1)
		return fmt.Sprintf("appended up to %d", s.next-1)
	case "offer":
		o := participant.Offer{ProducerID: id, Epoch: epoch, Connection: a.connection(), Term: uint64(a.number("term", 3)),
			Offsets: []participant.Offset{{Topic: topic, Partition: int32(a.number("part", 0)), Offset: a.number("offset", 0), Written: s.written}}}
		return s.g.Offer(o, s.now).String()
	case "commit", "abort":
		e := txn.Decision{ProducerID: id, Epoch: epoch, Number: txn.Number(a.number("number", 1)), Outcome: txn.Abort}
		if d.Cmd == "commit" {
			e.Outcome = txn.Commit
		}
		return s.close(e, group)
	case "offset":
		o := participant.Offset{Topic: topic, Partition: int32(a.number("part", 0)), Offset: a.number("offset", 0), Written: s.written}
		s.committed[o.Partition] = o
		return o.String()
	case "stable":
		text := fmt.Sprintf("stable %d of %d", s.p.LastStable(a.number("start", 0), s.next), s.next)
		for _, x := range participant.AbortedWithin(s.aborted, a.number("from", 0), a.number("below", s.next)) {
			text += fmt.Sprintf("\n%v", x)
		}
		return text
	case "expire":
		now, retention := a.number("now", s.now), a.number("retention", 0)
		return fmt.Sprintf("%d of the partition, %d of the group", s.p.Expire(now, retention), s.g.Expire(now, retention))
	case "describe":
		if group {
			return s.g.Describe()
		}
		return s.p.Describe()
	}
	t.Fatalf("%s: unknown verb %s", d.Pos, d.Cmd)
	return ""
}

func (s *scenario) close(d txn.Decision, group bool) string {
	if group {
		offsets, done, r := s.g.Close(d, s.now)
		if r != nil || done {
			return fmt.Sprintf("%v, done before: %v", r, done)
		}
		text := "ok"
		for _, o := range offsets {
			if s.committed[o.Partition].Written < o.Written {
				s.committed[o.Partition] = o
			}
			text += fmt.Sprintf("\n%v, so it stands at %d", o, s.committed[o.Partition].Offset)
		}
		return text
	}
	c, r := s.p.Close(d, s.next, s.now)
	if r != nil {
		return r.String()
	}
	if c.Marker {
		s.next++
	}
	if c.HasAborted {
		s.aborted = append(s.aborted, c.Aborted)
	}
	return c.String()
}

func decision(t *testing.T, v []string) txn.Decision {
	d := txn.Decision{}
	if v[0] == "commit" {
		d.Outcome = txn.Commit
	}
	if _, err := fmt.Sscanf(v[1], "%d", &d.Number); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(v[2], "%d/%d", &d.ProducerID, &d.Epoch); err != nil {
		t.Fatal(err)
	}
	return d
}

// arguments reads a line's key=value pairs.
type arguments struct {
	t *testing.T
	d *datadriven.TestData
}

func (a arguments) list(key string) []string {
	for _, c := range a.d.CmdArgs {
		if c.Key == key {
			return c.Vals
		}
	}
	return nil
}

func (a arguments) text(key string) string { return strings.Join(a.list(key), ",") }

func (a arguments) number(key string, otherwise int64) int64 {
	if a.text(key) == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(a.text(key), 10, 64)
	if err != nil {
		a.t.Fatalf("%s: %v", a.d.Pos, err)
	}
	return n
}

func (a arguments) producer(key string) (id txn.ProducerID, epoch txn.Epoch) {
	if v := a.text(key); v != "" {
		if _, err := fmt.Sscanf(v, "%d/%d", &id, &epoch); err != nil {
			a.t.Fatalf("%s: %v", a.d.Pos, err)
		}
	}
	return id, epoch
}

func (a arguments) connection() (g txn.Generation) {
	if v := a.text("connection"); v != "" {
		if _, err := fmt.Sscanf(v, "%d.%d", &g.Term, &g.Count); err != nil {
			a.t.Fatalf("%s: %v", a.d.Pos, err)
		}
	}
	return g
}
