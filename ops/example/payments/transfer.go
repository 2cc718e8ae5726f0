package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// The topics.
const (
	transfers     = "transfers"
	validated     = "validated"
	ledger        = "ledger"
	notifications = "notifications"
)

var outputs = []string{validated, ledger, notifications}

// accounts is how many there are; each begins with opening cents.
const (
	accounts = 50
	opening  = 1_000_00
)

// transfer moves cents from one account to another.
type transfer struct {
	ID    string `json:"id"` // unique: whoever sends a transfer again sends the same id
	From  int    `json:"from"`
	To    int    `json:"to"`
	Cents int64  `json:"cents"`
}

func drawTransfer(r *rand.Rand, id string) transfer {
	from := r.IntN(accounts)
	return transfer{id, from, (from + 1 + r.IntN(accounts-1)) % accounts, 1 + r.Int64N(100_00)}
}

// valid says what is wrong with a transfer.
func (t transfer) valid() error {
	switch {
	case t.ID == "":
		return fmt.Errorf("a transfer without id")
	case t.From == t.To || t.From < 0 || t.From >= accounts || t.To < 0 || t.To >= accounts:
		return fmt.Errorf("transfer %s from account %d to account %d", t.ID, t.From, t.To)
	case t.Cents <= 0:
		return fmt.Errorf("transfer %s of %d cents", t.ID, t.Cents)
	}
	return nil
}

// entry is one side of a transfer in the ledger.
type entry struct {
	Transfer string `json:"transfer"`
	Account  int    `json:"account"`
	Cents    int64  `json:"cents"` // negative: a debit
}

// entries are both sides.
func (t transfer) entries() []entry { return []entry{{t.ID, t.From, -t.Cents}, {t.ID, t.To, t.Cents}} }

// encode is for values of this package, which have nothing that JSON cannot say.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
