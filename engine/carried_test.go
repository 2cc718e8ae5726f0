package engine

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var x pace
		for i, c := range []struct {
			after time.Duration
			name  string
			n     txn.Number
			quick bool
		}{
			{0, "a", 1, false},
			{quickProducer, "a", 2, true},
			{0, "b", 7, false},
			{1, "a", 2, false}, // once more: it was not brought along
			{1, "a", 1, false},
			{1, "a", 3, true},
			{quickProducer + 1, "a", 4, false},
			{1, "b", 8, false},
			{1, "b", 9, true},
		} {
			time.Sleep(c.after)
			if got := x.isQuick(c.name, c.n); got != c.quick {
				t.Errorf("step %d: %v", i, got)
			}
		}
		for i := range 3 * paceNamesMax {
			x.isQuick(fmt.Sprint(i), 1)
			time.Sleep(time.Millisecond)
		}
		if n := len(x.last); n > paceNamesMax {
			t.Errorf("%d ids are remembered", n)
		}
	})
}

// A participant has overtaken a decision when its next transaction is open there, not when its own still is, nor when nothing is.
func TestOvertaken(t *testing.T) {
	ns, p, ps := newTeller(t, 1)
	e := ns[0].e
	for n := txn.Number(1); n <= 3; n++ {
		if err := produceTransactional(e, p, 0, ps)[0]; err != nil {
			t.Fatal(err)
		}
		if n == 2 { // opened by 2 itself
			for number, want := range map[txn.Number]bool{1: true, 2: false, 3: false} {
				k := coordinator.Marker{Name: p.ID, Participant: participantOf(ps[0]), Decision: txn.Decision{ProducerID: txn.ProducerID(p.Producer), Number: number}}
				if got := e.overtaken(k); got != want {
					t.Errorf("decision %d with 2 open: %v", number, got)
				}
			}
			k := coordinator.Marker{Participant: participantOf(broker.Partition{Topic: ps[0].Topic, Index: 5}), Decision: txn.Decision{ProducerID: txn.ProducerID(p.Producer), Number: 1}}
			if e.overtaken(k) {
				t.Error("a partition that is not there has taken a decision")
			}
		}
		var err error
		if p.Producer, p.Epoch, err = e.EndTransaction(context.Background(), &broker.EndTransaction{TransactionalProducer: p, Commit: true}); err != nil {
			t.Fatal(err)
		}
	}
}
