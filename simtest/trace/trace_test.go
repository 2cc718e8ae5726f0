package trace

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func write(t *testing.T, third string) (string, uint64) {
	var out bytes.Buffer
	var hash uint64
	synctest.Test(t, func(t *testing.T) {
		l := New(&out, nil)
		l.Event(Net, "n1>n2", "hello %d", 1)
		time.Sleep(time.Second)
		l.Event(Disk, "n1", "sync")
		l.Event(Client, "c1", "%s", third)
		l.Event(Client, "c1", "end")
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		hash = l.Hash()
		if l.Count() != 4 || l.CountOf(Client) != 2 || len(l.Tail()) != 4 {
			t.Fatalf("counts: %d, %d, %d", l.Count(), l.CountOf(Client), len(l.Tail()))
		}
	})
	return out.String(), hash
}

func TestDiffFindsTheFirstDifference(t *testing.T) {
	a, ah := write(t, "ok")
	b, bh := write(t, "ok")
	c, ch := write(t, "lost")
	if a != b || ah != bh {
		t.Fatalf("equal histories differ:\n%s\n%s", a, b)
	}
	if ah == ch {
		t.Fatal("different histories have one hash")
	}
	if d, err := Diff(strings.NewReader(a), strings.NewReader(b), 3); err != nil || d != "" {
		t.Fatalf("diff of equal traces: %q, %v", d, err)
	}
	d, err := Diff(strings.NewReader(a), strings.NewReader(c), 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"differ first at event 2", "both ", "sync", "> first ", "> second", "lost", "end"} {
		if !strings.Contains(d, want) {
			t.Errorf("missing %q in:\n%s", want, d)
		}
	}
	if d, _ := Diff(strings.NewReader(a), strings.NewReader(a[:len(a)/2]), 1); d == "" {
		t.Error("a trace cut short passes")
	}
}
