package freeport

import (
	"net"
	"testing"
)

func TestAddressesAreFreeAndTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 10 {
		as, err := Addresses(10)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range as {
			if seen[a] {
				t.Fatalf("%s was given twice", a)
			}
			seen[a] = true
			l, err := net.Listen("tcp", a)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
		}
	}
	if _, err := Addresses(blockPorts); err == nil {
		t.Fatal("more addresses than a block has")
	}
}
