package txn_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/txn"
)

// TestScenarios runs testdata: each file is one partition's window of one producer, from its beginning.
//
//	append epoch=0 first=0 n=10 [print=a] [at=1000]    Check, and Record if it says append
//	check  epoch=0 first=0 n=10 [print=a]              Check only
//	set-epoch epoch=3 at=1000                          SetEpoch
//	expired now=5000 retention=1000                    Expired
//	expire now=5000 retention=1000                     a new window if Expired
//	reload                                             encode and decode
//	describe
func TestScenarios(t *testing.T) {
	// Not Walk: failures that rapid and fuzzing keep lie in testdata too.
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := &scenario{next: 100}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.run(t, d) })
		})
	}
}

type scenario struct {
	w    txn.Window
	next int64 // the partition's next offset
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "append", "check":
		epoch, first, n := txn.Epoch(number(t, d, "epoch", 0)), txn.Sequence(number(t, d, "first", 0)), number(t, d, "n", 1)
		last, print := txn.LastSequence(first, int32(n)), fingerprint(d)
		v := s.w.Check(epoch, first, last, print)
		if d.Cmd == "check" || v.Action != txn.Append {
			return v.String()
		}
		at := number(t, d, "at", s.w.LastUsed())
		b := txn.Batch{FirstSequence: first, LastSequence: last, BaseOffset: s.next, LastOffset: s.next + n - 1, Timestamp: at, Fingerprint: print}
		s.w.Record(epoch, b, at)
		s.next += n
		return fmt.Sprintf("append at offset %d", b.BaseOffset)
	case "set-epoch":
		return strconv.FormatBool(s.w.SetEpoch(txn.Epoch(number(t, d, "epoch", 0)), number(t, d, "at", 0)))
	case "expired":
		return strconv.FormatBool(s.w.Expired(number(t, d, "now", 0), number(t, d, "retention", 0)))
	case "expire":
		if !s.w.Expired(number(t, d, "now", 0), number(t, d, "retention", 0)) {
			return "kept"
		}
		s.w = txn.Window{}
		return "expired"
	case "reload":
		b := s.w.AppendTo(nil)
		w, err := txn.Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		s.w = w
		return fmt.Sprintf("%d bytes\n%s", len(b), s.w.Describe())
	case "describe":
		return s.w.Describe()
	}
	t.Fatalf("%s: unknown verb %s", d.Pos, d.Cmd)
	return ""
}

func number(t *testing.T, d *datadriven.TestData, key string, otherwise int64) int64 {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			n, err := strconv.ParseInt(a.Vals[0], 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", d.Pos, err)
			}
			return n
		}
	}
	return otherwise
}

// fingerprint turns print=a into a number; without it all batches have the same records.
func fingerprint(d *datadriven.TestData) uint64 {
	for _, a := range d.CmdArgs {
		if a.Key == "print" {
			return uint64(strings.Join(a.Vals, "")[0])
		}
	}
	return 1
}

func TestSequenceWrapsAsKafkaDoes(t *testing.T) {
	for _, c := range []struct {
		s    txn.Sequence
		n    int32
		want txn.Sequence
	}{
		{0, 0, 0}, {0, 1, 1}, {txn.SequenceMax, 0, txn.SequenceMax}, {txn.SequenceMax, 1, 0}, {txn.SequenceMax - 1, 3, 1},
		{txn.SequenceMax, txn.SequenceMax, txn.SequenceMax - 1}, {5, txn.SequenceMax, 4},
	} {
		if got := c.s.Add(c.n); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.s, c.n, got, c.want)
		}
	}
}

func TestRecordOfARefusedBatchIsABug(t *testing.T) {
	for name, b := range map[string]txn.Batch{
		"gap":                  {FirstSequence: 5, LastSequence: 5, BaseOffset: 10, LastOffset: 10},
		"other number":         {FirstSequence: 1, LastSequence: 3, BaseOffset: 10, LastOffset: 11},
		"offset not behind":    {FirstSequence: 1, LastSequence: 1, BaseOffset: 0, LastOffset: 0},
		"recorded once before": {FirstSequence: 0, LastSequence: 0, BaseOffset: 10, LastOffset: 10},
	} {
		t.Run(name, func(t *testing.T) {
			var w txn.Window
			w.Record(0, txn.Batch{}, 0)
			defer func() {
				if _, ok := invariant.AsViolation(recover()); !ok {
					t.Fatal("accepted")
				}
			}()
			w.Record(0, b, 0)
		})
	}
}

func TestEveryNameIsItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range txn.Codes() {
		seen[c.String()] = true
	}
	seen[txn.None.String()], seen[txn.Code(255).String()] = true, true
	for a := txn.Refuse; a <= txn.Duplicate+1; a++ {
		seen[a.String()] = true
	}
	if len(seen) != len(txn.Codes())+6 {
		t.Fatalf("names %v", seen)
	}
}
