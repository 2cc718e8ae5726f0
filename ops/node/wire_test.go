package node_test

import (
	"testing"

	"github.com/tallymq/tallymq/ops/wire"
)

func dialWire(t testing.TB, address string) *wire.Conn {
	t.Helper()
	c, err := wire.Dial(address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
