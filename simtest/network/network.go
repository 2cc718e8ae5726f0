package network

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/lni/dragonboat/v4/raftio"

	"github.com/tallymq/tallymq/simtest/internal/hook"
	"github.com/tallymq/tallymq/simtest/trace"
)

// A Network connects hosts. All methods may be called by any goroutine of the world.
type Network struct {
	mu        sync.Mutex
	log       *trace.Log
	rng       *rand.Rand
	base      Profile
	links     map[[2]string]*direction
	hosts     map[string]*Host
	listeners map[string]*Listener // by "host:port"
	raft      map[string]*raftEnd  // by Raft address
	conns     map[uint64]*Conn     // both ends of every open stream
	nextConn  uint64
	hits      map[string]int // what became of single messages and streams
}

type raftEnd struct {
	host     *Host
	messages raftio.MessageHandler
	chunks   raftio.ChunkHandler
}

// New returns a network whose links all behave like base.
func New(log *trace.Log, rng *rand.Rand, base Profile) *Network {
	return &Network{
		log: log, rng: rng, base: base,
		links: map[[2]string]*direction{}, hosts: map[string]*Host{},
		listeners: map[string]*Listener{}, raft: map[string]*raftEnd{}, conns: map[uint64]*Conn{}, hits: map[string]int{},
	}
}

// Hits returns how many messages and streams each kind of fault came to hit.
func (n *Network) Hits() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.hits)
}

func (n *Network) fault(where, format string, args ...any) {
	n.log.Event(trace.Fault, where, "net "+format, args...)
}

// A Host is one machine on the network, named as in addresses ("n1" of "n1:9092").
type Host struct {
	net  *Network
	name string
	ip   net.IP
	up   bool
	// silent means that nothing answers for it, as after a loss of power; a process
	// that dies alone has a kernel that resets and refuses.
	silent bool
	refuse bool
	hang   bool
	number uint32        // node number of its goroutines
	down   chan struct{} // closed when this incarnation ends
}

// Host returns the host of that name, made and up when it is new.
func (n *Network) Host(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[name]
	if h == nil {
		i := len(n.hosts) + 1
		h = &Host{net: n, name: name, ip: net.IPv4(10, 0, byte(i>>8), byte(i)), up: true, down: make(chan struct{})}
		n.hosts[name] = h
	}
	return h
}

// Name returns the host's name.
func (h *Host) Name() string { return h.name }

// Up says that the host runs (again) as the given node number.
func (h *Host) Up(number uint32) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if !h.up {
		h.down = make(chan struct{})
	}
	h.up, h.silent, h.number = true, false, number
	// A machine that lost power answers what old streams still send with a reset.
	for _, id := range sortedKeys(h.net.conns) {
		if c := h.net.conns[id]; c.peer == h && c.out.gone {
			c.in.resetLocked(0)
			c.out.resetLocked(0)
			delete(h.net.conns, id)
		}
	}
}

// Down ends everything the host has open. With silent its peers hear nothing, as
// when power is lost; without, they see resets, as when a process is killed.
func (h *Host) Down(silent bool) {
	n := h.net
	n.mu.Lock()
	if !h.up {
		n.mu.Unlock()
		return
	}
	h.up, h.silent = false, silent
	close(h.down)
	for _, addr := range sortedKeys(n.listeners) {
		if l := n.listeners[addr]; l.host == h {
			l.closeLocked()
		}
	}
	for _, addr := range sortedKeys(n.raft) {
		if n.raft[addr].host == h {
			delete(n.raft, addr)
		}
	}
	var mine []*Conn
	for _, id := range sortedKeys(n.conns) {
		if c := n.conns[id]; c.host == h {
			mine = append(mine, c)
			delete(n.conns, id)
		}
	}
	n.mu.Unlock()
	for _, c := range mine {
		c.die(silent)
	}
}

// RefuseDials makes dials to the host fail at once; HangDials makes them wait
// until the caller gives up. Both false is the normal state.
func (h *Host) RefuseDials(refuse, hang bool) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.refuse == refuse && h.hang == hang {
		return
	}
	h.refuse, h.hang = refuse, hang
	h.net.fault(h.name, "dials refused %v, hung %v", refuse, hang)
}

// run starts f as a goroutine of the host. A paused host runs it later, a killed
// one never.
func (h *Host) run(number uint32, f func()) {
	hook.As(number, func() { go f() })
}

// outside starts what belongs to the network itself and outlives any host.
func outside(f func()) { hook.As(0, f) }

// hostOf finds the host of an address: by name or by the address it was given.
func (n *Network) hostOfLocked(address string) (*Host, string, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", fmt.Errorf("network: %w", err)
	}
	if h := n.hosts[name]; h != nil {
		return h, name + ":" + port, nil
	}
	for _, key := range sortedKeys(n.hosts) {
		if h := n.hosts[key]; h.ip.String() == name {
			return h, h.name + ":" + port, nil
		}
	}
	return nil, "", &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (h *Host) address(port int) net.Addr { return &net.TCPAddr{IP: h.ip, Port: port} }

func portOf(address string) int {
	_, p, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(p)
	return port
}

// sortedKeys lists the keys of a map in order: which connection is hit by a fault
// must not depend on the map.
func sortedKeys[K interface{ string | uint64 | [2]string }, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

func compareKeys[K interface{ string | uint64 | [2]string }](a, b K) int {
	switch a := any(a).(type) {
	case string:
		return compare(a, any(b).(string))
	case uint64:
		return compare(a, any(b).(uint64))
	case [2]string:
		b := any(b).([2]string)
		if c := compare(a[0], b[0]); c != 0 {
			return c
		}
		return compare(a[1], b[1])
	}
	return 0
}

func compare[T string | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
