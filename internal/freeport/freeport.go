package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

const (
	// firstPort and lastPort bound the ports that are given.
	firstPort, lastPort = 12000, 31999
	// blockPorts is how many ports a process owns, the one that shows it among them.
	blockPorts = 200
)

var errNone = errors.New("freeport: no free port")

// block is a range of ports that this process owns.
var block struct {
	sync.Mutex
	owned net.Listener // on the first port, until the process ends
	first int
	next  int
}

// Addresses gives n addresses, "127.0.0.1:port", that nobody listens at.
func Addresses(n int) ([]string, error) {
	block.Lock()
	defer block.Unlock()
	if block.owned == nil {
		if err := takeBlock(); err != nil {
			return nil, err
		}
	}
	var out []string
	for range blockPorts - 1 {
		if len(out) == n {
			return out, nil
		}
		addr := address(block.first + 1 + block.next)
		block.next = (block.next + 1) % (blockPorts - 1)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		out = append(out, addr)
	}
	return nil, errNone
}

// takeBlock makes the first block whose first port is free ours, beginning anywhere.
func takeBlock() error {
	const blocks = (lastPort - firstPort + 1) / blockPorts
	begin := rand.IntN(blocks)
	for i := range blocks {
		first := firstPort + (begin+i)%blocks*blockPorts
		l, err := net.Listen("tcp", address(first))
		if err != nil {
			continue
		}
		block.owned, block.first = l, first
		return nil
	}
	return errNone
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
