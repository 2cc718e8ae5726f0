package simtest

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestKeepRunsAMainUntilItIsDone: a main of its own is started again after an error, a
// kill and a fault of the plan that holds it down; not after nil, nor once retired.
func TestKeepRunsAMainUntilItIsDone(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 1, func(w *World) {
		s := NewSupervisor(w, func(*Process) error { return errors.New("the nodes' main was started") })
		lives := map[string]int{}
		once := w.Process("once")
		s.Keep(once, func(*Process) error {
			if lives["once"]++; lives["once"] < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		forever := w.Process("forever")
		s.Keep(forever, func(*Process) error { lives["forever"]++; select {} })
		time.Sleep(10 * time.Second)
		if lives["once"] != 3 || once.Running() {
			t.Errorf("a main that twice fails had %d lives, runs: %v", lives["once"], once.Running())
		}
		forever.Kill()
		time.Sleep(10 * time.Second)
		s.Apply(Plan{Faults: []Fault{{Verb: Kill, A: "forever", For: 5 * time.Second}, {Verb: Kill, A: "once", For: time.Second}}, Quiet: 10 * time.Second})
		if lives["forever"] != 3 || !forever.Running() {
			t.Errorf("a main that was killed twice had %d lives, runs: %v", lives["forever"], forever.Running())
		}
		s.Retire(forever)
		forever.Kill()
		time.Sleep(10 * time.Second)
		if lives["forever"] != 3 || lives["once"] != 3 || once.Running() || forever.Running() {
			t.Errorf("what is done was started again: %v", lives)
		}
	})
}

// TestAllNodesAreHit: killall and powerall end every node at the same moment, rolling one
// after the other; clients live on.
func TestAllNodesAreHit(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 1, func(w *World) {
		began := map[string][]time.Duration{}
		note := func(p *Process) error { began[p.Name()] = append(began[p.Name()], w.Now()); select {} }
		s := NewSupervisor(w, note)
		s.Start(w.Process("n1"))
		s.Start(w.Process("n2"))
		s.Keep(w.Process("client"), note)
		s.Apply(Plan{Quiet: 40 * time.Second, Faults: []Fault{
			{At: time.Second, Verb: KillAll, A: everybody, For: 2 * time.Second},
			{At: 10 * time.Second, Verb: PowerAll, A: everybody, For: 2 * time.Second},
			{At: 20 * time.Second, Verb: Rolling, A: everybody, For: 4 * time.Second},
		}})
		want := map[string][]time.Duration{
			"n1": {0, 3 * time.Second, 12 * time.Second, 21 * time.Second}, "n2": {0, 3 * time.Second, 12 * time.Second, 23 * time.Second}, "client": {0},
		}
		if !reflect.DeepEqual(began, want) {
			t.Errorf("starts: %v, want %v", began, want)
		}
	})
}

// TestSwappedDisksComeBack: two nodes start with each other's files, and later with their own.
func TestSwappedDisksComeBack(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 1, func(w *World) {
		found := map[string][]string{}
		s := NewSupervisor(w, func(p *Process) error {
			fs := p.Disk.Mount().FS()
			names, err := fs.List("/")
			if err != nil {
				return err
			}
			found[p.Name()] = append(found[p.Name()], strings.Join(names, " "))
			if len(names) > 0 {
				select {}
			}
			f, err := fs.Create("/"+p.Name(), vfs.WriteCategoryUnspecified)
			if err != nil {
				return err
			}
			folder, err := fs.OpenDir("/")
			if err != nil {
				return err
			}
			if err := errors.Join(f.Sync(), folder.Sync()); err != nil {
				return err
			}
			select {}
		})
		s.Start(w.Process("n1"))
		s.Start(w.Process("n2"))
		s.Apply(Plan{Quiet: 20 * time.Second, Faults: []Fault{{At: time.Second, Verb: Swap, A: "n1", B: "n2", For: 2 * time.Second}}})
		if want := (map[string][]string{"n1": {"", "n2", "n1"}, "n2": {"", "n1", "n2"}}); !reflect.DeepEqual(found, want) {
			t.Errorf("files at each start: %v, want %v", found, want)
		}
	})
}

// TestStoryLeavesOutFramesAndWrites: the story of a trace is its last events but those of
// network and disks, of which the tail is full.
func TestStoryLeavesOutFramesAndWrites(t *testing.T) {
	SkipWithoutOverlay(t)
	Run(t, 1, func(w *World) {
		w.Result("client", "first")
		for range 1000 {
			w.Trace.Event("net", "a>b", "frame")
			w.Trace.Event("disk", "a", "write")
		}
		w.Result("client", "last")
		var told []string
		for _, e := range w.Trace.Story() {
			told = append(told, e.What)
		}
		if got := strings.Join(told, ", "); got != "first, last" {
			t.Errorf("the story is %s", got)
		}
		if tail := w.Trace.Tail(); tail[len(tail)-1].What != "last" || tail[0].What == "first" {
			t.Errorf("the tail begins with %v", tail[0])
		}
	})
}
