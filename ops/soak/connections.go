package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// openers connect at once.
const openers = 64

// connections opens them, lets each ask two questions, and leaves them idle.
func connections(s *soak) error {
	p := s.cluster.Nodes[0]
	before, err := settled(p)
	if err != nil {
		return err
	}
	began := time.Now()
	conns, err := open(p.Kafka, s.connections)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	if err != nil {
		return err
	}
	s.say(s.name+": opened and answered", "%d in %.1f s", s.connections, time.Since(began).Seconds())
	after, err := settled(p)
	if err != nil {
		return err
	}
	b, a := []sample{before}, []sample{after}
	s.judge(s.name+": heap per connection", growth(b, a, heapOf, s.connections), connectionHeapMax, size)
	s.judge(s.name+": heap and stacks per connection", growth(b, a, memoryOf, s.connections), connectionMemoryMax, size)
	s.say(s.name+": resident set before, after", "%s, %s", size(before.rss), size(after.rss))
	s.judge(s.name+": resident set per connection", growth(b, a, rssOf, s.connections), connectionMemoryMax, size)
	s.judge(s.name+": goroutines per connection", growth(b, a, routinesOf, s.connections), connectionGoroutinesMax, number)
	idle, err := idle(s.cluster)
	if err != nil {
		return err
	}
	s.judge(s.name+": idle, all open", idle[0], idleCPUMax, share)
	if err := ask(conns[0]); err != nil { // they are still served
		return err
	}
	for _, c := range conns {
		_ = c.Close()
	}
	once, err := settled(p)
	if err != nil {
		return err
	}
	s.say(s.name+": heap and stacks kept per closed connection", "%s", size(growth(b, []sample{once}, memoryOf, s.connections)))
	if conns, err = open(p.Kafka, s.connections); err != nil {
		return err
	}
	for _, c := range conns {
		_ = c.Close()
	}
	twice, err := settled(p)
	if err != nil {
		return err
	}
	s.judge(s.name+": and more after the same again", growth([]sample{once}, []sample{twice}, memoryOf, s.connections), connectionLeakMax, size)
	return nil
}

// open connects n times and has two requests answered on each.
func open(addr string, n int) ([]net.Conn, error) {
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		conns []net.Conn
		first error
		left  = make(chan struct{}, n)
	)
	for range n {
		left <- struct{}{}
	}
	close(left)
	for range openers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range left {
				c, err := net.DialTimeout("tcp", addr, patience)
				if err == nil {
					err = ask(c)
				}
				mu.Lock()
				if err != nil && first == nil {
					first = err
				}
				if c != nil {
					conns = append(conns, c)
				}
				stop := first != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		}()
	}
	wg.Wait()
	return conns, first
}

// Requests as they lie on the wire, behind their size: key 2, version 2, correlation 4, null client id 2, body.
var (
	apiVersions0 = []byte{0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff}
	// All topics (a null array).
	metadata1 = []byte{0, 3, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

// ask sends ApiVersions and Metadata and reads both answers.
func ask(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for _, q := range [][]byte{apiVersions0, metadata1} {
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(q))), q...)); err != nil {
			return err
		}
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > mib {
			return fmt.Errorf("an answer of %d bytes", n)
		}
		if _, err := io.CopyN(io.Discard, c, int64(n)); err != nil {
			return err
		}
	}
	return nil
}
