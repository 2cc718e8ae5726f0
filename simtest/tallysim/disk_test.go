package tallysim

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest"
)

// TestDiskKeepsWhatWasSynced: a program writes lines and syncs each; its machine loses
// power again and again. What was synced is there afterwards, what was not may be torn.
func TestDiskKeepsWhatWasSynced(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	Options{Seeds: 5, Nodes: 1}.Run(t, func(c *Cluster) {
		synced, torn := 0, 0
		c.Go("writer", func(p *Process) error {
			next, cut, err := recoverLines(p.Disk())
			if cut {
				torn++
			}
			if err != nil || next < synced {
				return fmt.Errorf("%d lines of %d, %w", next, synced, err)
			}
			for ; ; next++ {
				if err := errors.Join(p.Disk().Append("lines", fmt.Appendf(nil, "line %d\n", next)), p.Disk().Sync("lines")); err != nil {
					return err
				}
				synced = next + 1
				// Without a sync: it may be lost with the power.
				if err := p.Disk().Append("lines", fmt.Appendf(nil, "%s\n", strings.Repeat("x", 1500))); err != nil {
					return err
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
		for range 15 {
			time.Sleep(1500 * time.Millisecond)
			c.PowerLoss("writer")
		}
		time.Sleep(2 * time.Second)
		if c.entry("writer").last != nil || synced < 100 || torn == 0 {
			t.Errorf("%d lines were synced, %d ends torn, last exit %v", synced, torn, c.entry("writer").last)
		}
	})
}

// recoverLines counts the lines that were synced and cuts off a torn end, as a program
// with a log of its own does.
func recoverLines(d *Disk) (next int, cut bool, err error) {
	b, err := d.ReadFile("lines")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	whole := 0
	for line := range strings.Lines(string(b)) {
		switch {
		case line == fmt.Sprintf("line %d\n", next):
			next++
		case line != strings.Repeat("x", 1500)+"\n":
			return next, true, errors.Join(err, d.Truncate("lines", int64(whole)))
		}
		whole += len(line)
	}
	return next, false, err
}

// TestDiskReplacesAFileWhole: over losses of power a file has its old content or its
// new one.
func TestDiskReplacesAFileWhole(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	Options{Seeds: 5, Nodes: 1}.Run(t, func(c *Cluster) {
		replaced := 0
		c.Go("writer", func(p *Process) error {
			b, err := p.Disk().ReadFile("state")
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			next := len(b)
			if next < replaced || string(b) != strings.Repeat("s", next) {
				return fmt.Errorf("%q after %d replacements", b, replaced)
			}
			for {
				next++
				if err := p.Disk().Replace("state", []byte(strings.Repeat("s", next))); err != nil {
					return err
				}
				replaced = next
				time.Sleep(time.Millisecond)
			}
		})
		for range 30 {
			time.Sleep(1100 * time.Millisecond)
			c.PowerLoss("writer")
		}
		time.Sleep(2 * time.Second)
		if c.entry("writer").last != nil || replaced < 1000 {
			t.Errorf("%d replacements, last exit %v", replaced, c.entry("writer").last)
		}
	})
}
