package tallysim

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest"
)

// TestStoreIsAllOrNothing: programs that are killed at any moment, and whose
// transactions fail in both ways, count up under tokens; the count is that of the
// tokens at every moment.
func TestStoreIsAllOrNothing(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	Options{Seeds: 3, Nodes: 1}.Run(t, func(c *Cluster) {
		s := c.Store("counter")
		c.failing.Store(300)
		unknown, unavailable, storedAllTheSame := 0, 0, 0
		for _, name := range []string{"a", "b"} {
			c.Go(name, func(p *Process) error {
				for n := 0; ; n++ {
					token := fmt.Sprintf("token/%s-%d-%d", name, p.Start(), n)
					err := s.Update(func(tx *Tx) error { return countUp(tx, token) })
					_, stored := s.Get(token)
					switch {
					case errors.Is(err, ErrUnavailable) && stored, err == nil && !stored:
						t.Errorf("%s: stored %v, %v", token, stored, err)
					case errors.Is(err, ErrUnavailable):
						unavailable++
					case errors.Is(err, ErrUnknown) && stored:
						storedAllTheSame++
					case errors.Is(err, ErrUnknown):
						unknown++
					}
				}
			})
		}
		c.Check("the count is that of the tokens", func() error {
			if count, tokens := s.Rows("")["count"], len(s.Rows("token/")); tokens > 0 && count != fmt.Sprint(tokens) {
				return fmt.Errorf("%s, %d tokens", count, tokens)
			}
			return nil
		})
		c.Faults(Faults{Yours: []simtest.Verb{simtest.Kill, simtest.Pause}, Length: 10 * time.Second, Every: time.Second})
		c.Quiet()
		if unavailable == 0 || storedAllTheSame == 0 {
			t.Errorf("%d refused, %d unknown and stored, %d unknown and not", unavailable, storedAllTheSame, unknown)
		}
	})
}

func countUp(tx *Tx, token string) error {
	count := 0
	if v, ok := tx.Get("count"); ok {
		if _, err := fmt.Sscan(v, &count); err != nil {
			return err
		}
	}
	tx.Set("count", fmt.Sprint(count+1))
	tx.Set(token, "")
	return nil
}

// TestStoreTransactionsSeeTheirOwnChanges, and an error undoes them.
func TestStoreTransactionsSeeTheirOwnChanges(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	Options{Seeds: 1, Nodes: 1}.Run(t, func(c *Cluster) {
		s := c.Store("s")
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		must(s.Update(func(tx *Tx) error { tx.Set("a", "1"); tx.Set("b", "1"); return nil }))
		must(s.Update(func(tx *Tx) error {
			tx.Set("a", "2")
			tx.Delete("b")
			a, _ := tx.Get("a")
			if _, ok := tx.Get("b"); ok || a != "2" {
				t.Errorf("a is %q, b is there: %v", a, ok)
			}
			return nil
		}))
		failed := errors.New("no")
		if err := s.Update(func(tx *Tx) error { tx.Set("a", "3"); return failed }); err != failed {
			t.Error(err)
		}
		must(s.Update(func(tx *Tx) error { tx.Get("a"); return nil }))
		if rows := s.Rows(""); len(rows) != 1 || rows["a"] != "2" || s.version != 2 {
			t.Errorf("%v, version %d", rows, s.version)
		}
		if c.Store("s") != s {
			t.Error("the name gives another store")
		}
	})
}
