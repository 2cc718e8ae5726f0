package payments

import (
	"fmt"
	"strconv"
	"strings"
)

// A Payment moves an amount, in cents, to an account.
type Payment struct {
	ID      string
	Account string
	Cents   int64
}

// String is what a record's value holds; ParsePayment reads it.
func (p Payment) String() string { return fmt.Sprintf("%s %s %d", p.ID, p.Account, p.Cents) }

// ParsePayment reads a record's value.
func ParsePayment(value string) (Payment, error) {
	w := strings.Fields(value)
	if len(w) != 3 {
		return Payment{}, fmt.Errorf("payment %q: want ID ACCOUNT CENTS", value)
	}
	cents, err := strconv.ParseInt(w[2], 10, 64)
	if err != nil {
		return Payment{}, fmt.Errorf("payment %q: %w", value, err)
	}
	return Payment{ID: w[0], Account: w[1], Cents: cents}, nil
}

// A Tx is a transaction of the database.
type Tx interface {
	Get(key string) (value string, ok bool)
	Set(key, value string)
}

// A Database runs transactions: all changes of f or, on an error, as a rule none;
// a caller that cannot tell, because no answer came, runs the transaction again.
type Database interface {
	Update(f func(tx Tx) error) error
}

// Keys of the ledger.
const (
	balancePrefix = "balance/"
	postedPrefix  = "posted/"
)

// credit adds to a balance.
func credit(tx Tx, p Payment) error {
	balance := int64(0)
	if s, ok := tx.Get(balancePrefix + p.Account); ok {
		var err error
		if balance, err = strconv.ParseInt(s, 10, 64); err != nil {
			return fmt.Errorf("balance of %s: %w", p.Account, err)
		}
	}
	tx.Set(balancePrefix+p.Account, strconv.FormatInt(balance+p.Cents, 10))
	return nil
}

// Post posts a payment unless it was posted before. That it was is remembered in the
// same transaction as the effect: one cannot be there without the other.
func Post(db Database, p Payment) error {
	return db.Update(func(tx Tx) error {
		if _, done := tx.Get(postedPrefix + p.ID); done {
			return nil
		}
		tx.Set(postedPrefix+p.ID, "")
		return credit(tx, p)
	})
}
