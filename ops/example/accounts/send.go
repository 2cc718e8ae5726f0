package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/tallymq/tallymq/ops/local"
)

// window is how many movements are on their way at once.
const window = 50

// sender sends movements of its own accounts. When a connection ends, what was not confirmed may be there or not: those accounts end with it,
// others take their places.
type sender struct {
	*bank
	name     string
	accounts []string
	opened   int // accounts, ever
	r        *rand.Rand
}

func (s *sender) open(i int) {
	s.opened++
	s.accounts[i] = fmt.Sprintf("%s-%d", s.name, s.opened)
}

func (s *sender) run(duration time.Duration) {
	for i := range s.accounts {
		s.open(i)
	}
	for end := time.Now().Add(duration); time.Now().Before(end) && s.books.failed() == nil; {
		if err := s.over(end); err != nil {
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// onWay is a movement that is not confirmed yet.
type onWay struct {
	slot    int
	account string
	n       int
	confirm *amqp.DeferredConfirmation
}

// over sends over one connection.
func (s *sender) over(end time.Time) (err error) {
	c, ch, err := local.DialRabbit(s.urls, s.r)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := ch.Confirm(false); err != nil {
		return err
	}
	var waiting []onWay
	defer func() {
		for _, w := range waiting {
			if s.accounts[w.slot] == w.account {
				s.open(w.slot)
			}
		}
	}()
	tick := time.NewTicker(time.Second / time.Duration(s.rate))
	defer tick.Stop()
	for time.Now().Before(end) || len(waiting) > 0 {
		for len(waiting) > 0 && (len(waiting) >= window || !time.Now().Before(end)) {
			select {
			case <-waiting[0].confirm.Done():
			case <-time.After(10 * time.Second):
				return fmt.Errorf("no confirm")
			}
			if !waiting[0].confirm.Acked() {
				return fmt.Errorf("not confirmed")
			}
			s.books.confirm(waiting[0].account, waiting[0].n)
			waiting = waiting[1:]
		}
		if !time.Now().Before(end) {
			return nil
		}
		<-tick.C
		slot := s.r.IntN(len(s.accounts))
		if s.r.IntN(4) == 0 {
			slot = s.r.IntN(3) // some are hot
		}
		w := onWay{slot: slot, account: s.accounts[slot]}
		w.n = s.books.send(w.account)
		waiting = append(waiting, w)
		p := amqp.Publishing{DeliveryMode: amqp.Persistent, Headers: amqp.Table{"account": w.account}, Body: fmt.Append(nil, w.n)}
		if waiting[len(waiting)-1].confirm, err = ch.PublishWithDeferredConfirm("", movements, true, false, p); err != nil {
			return err
		}
	}
	return nil
}
