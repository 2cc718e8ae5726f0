package coordinator_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
)

// TestScenarios runs testdata: each file is one shard's coordinator from its beginning. Its options are 2 ids, time-outs up
// to 100 ms, and retention of 1000 ms. Producer and epoch are written 7/0, connections 3.1 (term 3, its first); without a
// connection a request speaks the second version. The transactional id is pay where none is named.
//
//	init [id=pay] [p=7/0] [timeout=50] [fresh=7] [connection=3.1]
//	add p=7/0 to=(1-0,1-1,group:g) [connection=3.1]      topic 1's partitions 0 and 1, and group g
//	verify p=7/0 to=1-0
//	commit | abort p=7/0 [fresh=8] [connection=3.1]
//	expire [id=pay]
//	operator number=1              an operator's abort
//	foreign p=7/0 [outcome=commit]
//	markers                        Undelivered
//	ack number=1 to=1-0
//	ask p=7/0 number=1 to=1-0
//	spend until=32766              abort nothing until the epoch is reached
//	due                            what Due and NextDeadline say
//	summary                        String
//	describe
//
// All take at=TIME, in ms, which rises by one otherwise, and term=TERM, 3 otherwise.
func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := &scenario{m: coordinator.New(coordinator.Options{IDsMax: 2, TimeoutMax: 100, RetentionMs: 1000})}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.run(t, d) })
		})
	}
}

type scenario struct {
	m   *coordinator.Machine
	now int64
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string {
	a := arguments{t, d}
	s.now = a.number("at", s.now+1)
	ctx := coordinator.Context{Now: s.now, Term: uint64(a.number("term", 3)), Old: a.number("old", 0) == 1}
	name, who, fresh, number := a.text("id", "pay"), a.identity(), txn.ProducerID(a.number("fresh", -1)), txn.Number(a.number("number", 0))
	connection, version := a.connection()
	switch d.Cmd {
	case "init":
		b, r := s.m.Init(ctx, coordinator.InitRequest{Name: name, Expected: who, TimeoutMs: a.number("timeout", 50), Connection: connection, Fresh: fresh})
		if r != nil {
			return r.String()
		}
		return fmt.Sprintf("%v%s", b.Identity, ended(b.Ended))
	case "add":
		grants, r := s.m.Add(ctx, coordinator.AddRequest{Name: name, Who: who, Version: version, Connection: connection, Participants: a.participants()})
		if r != nil {
			return r.String()
		}
		return lines(grants)
	case "verify":
		g, r := s.m.Verify(name, who, a.participants()[0])
		if r != nil {
			return r.String()
		}
		return g.String()
	case "commit", "abort":
		q := coordinator.EndRequest{Name: name, Who: who, Version: version, Connection: connection, Fresh: fresh}
		if d.Cmd == "commit" {
			q.Outcome = txn.Commit
		}
		c, r := s.m.End(ctx, q)
		if r != nil {
			return r.String()
		}
		return fmt.Sprintf("%v%s", c.Identity, ended(c.Ended))
	case "expire":
		e, changed := s.m.Expire(ctx, name)
		return fmt.Sprintf("changed %v%s", changed, ended(e))
	case "operator":
		e, r := s.m.Abort(ctx, name, number)
		return r.String() + ended(e)
	case "foreign":
		outcome := txn.Abort
		if a.text("outcome", "abort") == "commit" {
			outcome = txn.Commit
		}
		e, r := s.m.Foreign(ctx, who, outcome)
		return r.String() + ended(e)
	case "markers":
		return lines(s.m.Undelivered("", 10))
	case "ack":
		return strconv.FormatBool(s.m.Acknowledge(ctx, name, number, a.participants()[0]))
	case "ask":
		standing, decision := s.m.Ask(who.ProducerID, number, a.participants()[0])
		return [...]string{"unknown", "undecided", "decided: " + decision.String()}[standing]
	case "spend":
		return s.spend(t, ctx, name, txn.Epoch(a.number("until", 0)))
	case "due":
		next, ok := s.m.NextDeadline()
		return fmt.Sprintf("%v, next %d %v", s.m.Due(s.now, 10), next, ok)
	case "summary":
		return s.m.String()
	case "describe":
		return s.m.Describe()
	}
	t.Fatalf("%s: unknown verb %s", d.Pos, d.Cmd)
	return ""
}

func (s *scenario) spend(t *testing.T, ctx coordinator.Context, name string, until txn.Epoch) string {
	var who coordinator.Identity
	if _, err := fmt.Sscanf(strings.TrimPrefix(s.m.Describe(), name+": "), "%d/%d", &who.ProducerID, &who.Epoch); err != nil {
		t.Fatal(err)
	}
	for who.Epoch < until {
		c, r := s.m.End(ctx, coordinator.EndRequest{Name: name, Who: who, Version: coordinator.V2, Fresh: -1})
		if r != nil {
			t.Fatal(r)
		}
		who = c.Identity
	}
	return who.String()
}

func ended(e *coordinator.Ended) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("\nended: %v with %v", e.Decision, e.Participants)
}

func lines[T fmt.Stringer](all []T) string {
	s := make([]string, len(all))
	for i, x := range all {
		s[i] = x.String()
	}
	return strings.Join(s, "\n")
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

func (a arguments) text(key, otherwise string) string {
	if v := a.list(key); v != nil {
		return strings.Join(v, ",")
	}
	return otherwise
}

func (a arguments) scan(key, format string, to ...any) bool {
	v := a.text(key, "")
	if v == "" {
		return false
	}
	if _, err := fmt.Sscanf(v, format, to...); err != nil {
		a.t.Fatalf("%s: %s: %v", a.d.Pos, key, err)
	}
	return true
}

func (a arguments) number(key string, otherwise int64) int64 {
	a.scan(key, "%d", &otherwise)
	return otherwise
}

func (a arguments) identity() coordinator.Identity {
	who := coordinator.Nobody
	a.scan("p", "%d/%d", &who.ProducerID, &who.Epoch)
	return who
}

func (a arguments) connection() (g txn.Generation, v coordinator.Version) {
	if a.scan("connection", "%d.%d", &g.Term, &g.Count) {
		return g, coordinator.V1
	}
	return g, coordinator.V2
}

func (a arguments) participants() (all []txn.Participant) {
	for _, v := range a.list("to") {
		if group, ok := strings.CutPrefix(v, "group:"); ok {
			all = append(all, txn.GroupParticipant(group))
			continue
		}
		var p txn.Participant
		if _, err := fmt.Sscanf(v, "%d-%d", &p.Topic[15], &p.Partition); err != nil {
			a.t.Fatalf("%s: %q: %v", a.d.Pos, v, err)
		}
		all = append(all, p)
	}
	return all
}
