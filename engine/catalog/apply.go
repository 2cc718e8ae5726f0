package catalog

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// apply computes the next view and the result. A refused command, and one that was applied before, returns v itself.
func apply(v *View, msg command.Message) (command.Message, *View, error) {
	if c, ok := msg.(*command.ProducerBlock); ok {
		r, next := producerBlock(v, c)
		return r, next, nil
	}
	next, code := v, broker.CodeNone
	switch c := msg.(type) {
	case *command.Bootstrap:
		next, code = bootstrap(v, c)
	case *command.NodeRegister:
		next, code = nodeRegister(v, c)
	case *command.NodeRemove:
		next, code = nodeRemove(v, c)
	case *command.TopicCreate:
		next, code = topicCreate(v, c)
	case *command.TopicDelete:
		next, code = topicDelete(v, c)
	case *command.TopicConfigure:
		next, code = topicConfigure(v, c)
	case *command.TopicGrow:
		next, code = topicGrow(v, c)
	case *command.ExchangeDeclare:
		next, code = exchangeDeclare(v, c)
	case *command.ExchangeDelete:
		next, code = exchangeDelete(v, c)
	case *command.QueueDeclare:
		next, code = queueDeclare(v, c)
	case *command.QueueDelete:
		next, code = queueDelete(v, c)
	case *command.BindingAdd:
		next, code = bindingAdd(v, c)
	case *command.BindingRemove:
		next, code = bindingRemove(v, c)
	case *command.QuotaAlter:
		next, code = quotaAlter(v, c)
	case *command.ShardCreate:
		next, code = shardCreate(v, c)
	case *command.ReplicaAdd:
		next, code = replicaAdd(v, c)
	case *command.ReplicaPromote:
		next, code = replicaPromote(v, c)
	case *command.ReplicaRemove:
		next, code = replicaRemove(v, c)
	default:
		return nil, v, fmt.Errorf("apply to catalog: %v is not a catalog command", msg.Kind())
	}
	if code != broker.CodeNone {
		next = v
	}
	return &command.CatalogResult{Code: code, Version: next.version}, next, nil
}

// change begins the next version: everything is shared until replaced.
func (v *View) change() *View {
	next := *v
	next.version++
	return &next
}

func (v *View) booted() bool { return v.clusterID != "" }

func producerBlock(v *View, c *command.ProducerBlock) (*command.ProducerBlockResult, *View) {
	r := &command.ProducerBlockResult{Version: v.version, First: -1}
	_, known := v.Node(c.Node)
	switch {
	case !known, c.Count == 0, c.Count > ProducerBlockMax:
		r.Code = broker.CodeInvalidRequest
		return r, v
	case v.producers > math.MaxInt64-int64(c.Count):
		r.Code = broker.CodePolicyViolation
		return r, v
	}
	next := v.change()
	next.producers += int64(c.Count)
	*r = command.ProducerBlockResult{Version: next.version, First: broker.ProducerID(v.producers), Count: c.Count}
	return r, next
}

func bootstrap(v *View, c *command.Bootstrap) (*View, broker.Code) {
	if v.booted() {
		if v.clusterID == c.ClusterID {
			return v, broker.CodeNone
		}
		return v, broker.CodePolicyViolation
	}
	next := v.change()
	next.clusterID = c.ClusterID
	if c.ClusterID == "" || len(c.Nodes) == 0 || len(c.Nodes) > NodesMax || len(c.Shards) > ShardsMax || len(c.Slots) != Slots {
		return v, broker.CodeInvalidRequest
	}
	for i := range c.Nodes {
		n, err := nodeOf(&c.Nodes[i])
		if err != nil {
			return v, broker.CodeInvalidRequest
		}
		if _, taken := next.anyNode(n.ID); taken {
			return v, broker.CodeInvalidRequest
		}
		next.setNode(n)
	}
	for i := range c.Shards {
		s, code := next.newShard(&c.Shards[i])
		if code != broker.CodeNone {
			return v, code
		}
		next.setShard(s)
	}
	if _, ok := next.Shard(CatalogShard); !ok {
		return v, broker.CodeInvalidRequest
	}
	next.slots = new([Slots]SlotOwner)
	for i, s := range c.Slots {
		if _, ok := next.Shard(s); !ok || s == CatalogShard {
			return v, broker.CodeInvalidRequest
		}
		next.slots[i] = SlotOwner{Shard: s, Version: next.version}
	}
	return next, broker.CodeNone
}

// nodeOf reads a NodeSpec.
func nodeOf(s *command.NodeSpec) (*Node, error) {
	n := &Node{ID: s.Node, RPC: s.RPC, Raft: s.Raft, Rack: s.Rack, Version: s.Version}
	if s.Node <= 0 || s.RPC == "" || s.Raft == "" {
		return nil, fmt.Errorf("node %d: id, rpc and raft address are needed", s.Node)
	}
	var err error
	if n.Kafka, err = ParseEndpoint(s.Kafka); err != nil {
		return nil, err
	}
	if n.AMQP, err = ParseEndpoint(s.AMQP); err != nil {
		return nil, err
	}
	return n, nil
}

// Spec is the node as NodeRegister and Bootstrap carry it.
func (n *Node) Spec() command.NodeSpec {
	return command.NodeSpec{Node: n.ID, RPC: n.RPC, Raft: n.Raft, Kafka: FormatEndpoint(n.Kafka), AMQP: FormatEndpoint(n.AMQP),
		Rack: n.Rack, Version: n.Version}
}

// ParseEndpoint reads "host:port" or "[v6]:port"; an empty text is the zero endpoint: not offered.
func ParseEndpoint(s string) (broker.Endpoint, error) {
	if s == "" {
		return broker.Endpoint{}, nil
	}
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return broker.Endpoint{}, fmt.Errorf("endpoint %q: want host:port", s)
	}
	port, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil {
		return broker.Endpoint{}, fmt.Errorf("endpoint %q: want host:port", s)
	}
	host := s[:i]
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if host == "" {
		return broker.Endpoint{}, fmt.Errorf("endpoint %q: want host:port", s)
	}
	return broker.Endpoint{Host: host, Port: int32(port)}, nil
}

// FormatEndpoint writes what ParseEndpoint reads.
func FormatEndpoint(e broker.Endpoint) string {
	if e == (broker.Endpoint{}) {
		return ""
	}
	if a, err := netip.ParseAddr(e.Host); err == nil && a.Is6() || strings.Contains(e.Host, ":") {
		return fmt.Sprintf("[%s]:%d", e.Host, e.Port)
	}
	return fmt.Sprintf("%s:%d", e.Host, e.Port)
}

func nodeRegister(v *View, c *command.NodeRegister) (*View, broker.Code) {
	if !v.booted() {
		return v, broker.CodeUnavailable
	}
	n, err := nodeOf(&c.Spec)
	if err != nil {
		return v, broker.CodeInvalidRequest
	}
	old, known := v.anyNode(n.ID)
	switch {
	case known && old.Removed:
		return v, broker.CodePolicyViolation // an id is never given to another node
	case known && *old == *n:
		return v, broker.CodeNone // renewed, nothing new
	case known && old.Raft != n.Raft && v.hosts(n.ID):
		return v, broker.CodePolicyViolation // Raft's own membership names the old address
	case !known && len(v.nodes) >= NodesMax:
		return v, broker.CodePolicyViolation
	}
	for _, other := range v.nodes {
		if other.ID != n.ID && !other.Removed && (other.Raft == n.Raft || other.RPC == n.RPC) {
			return v, broker.CodeInvalidRequest // two nodes under one address would answer for each other
		}
	}
	next := v.change()
	next.setNode(n)
	return next, broker.CodeNone
}

// hosts says whether a node has a replica of any shard.
func (v *View) hosts(node broker.NodeID) bool {
	for _, s := range v.shards {
		if _, ok := s.On(node); ok {
			return true
		}
	}
	return false
}

// nodeRemove marks the node as leaving. Its replicas are replaced by the placement driver; the id stays known for ever.
func nodeRemove(v *View, c *command.NodeRemove) (*View, broker.Code) {
	n, known := v.anyNode(c.Node)
	switch {
	case !known:
		return v, broker.CodeInvalidRequest
	case n.Removed:
		return v, broker.CodeNone
	case len(v.Nodes()) == 1:
		return v, broker.CodePolicyViolation // nobody would be left to hold the data
	}
	gone := *n
	gone.Removed = true
	next := v.change()
	next.setNode(&gone)
	return next, broker.CodeNone
}

func (v *View) setNode(n *Node) {
	i, ok := slices.BinarySearchFunc(v.nodes, n.ID, func(n *Node, id broker.NodeID) int { return cmp.Compare(n.ID, id) })
	v.nodes = put(v.nodes, i, ok, n)
}

func (v *View) setShard(s *Shard) {
	i, ok := slices.BinarySearchFunc(v.shards, s.ID, func(s *Shard, id broker.ShardID) int { return cmp.Compare(s.ID, id) })
	v.shards = put(v.shards, i, ok, s)
}

// put returns a copy of s with x at i, in place of what is there or before it. The old slice is left as it is: older
// views own it.
func put[T any](s []T, i int, replace bool, x T) []T {
	out := make([]T, 0, len(s)+1)
	out = append(append(out, s[:i]...), x)
	if replace {
		i++
	}
	return append(out, s[i:]...)
}

// cut returns a copy of s without the element at i.
func cut[T any](s []T, i int) []T {
	out := make([]T, 0, len(s))
	return append(append(out, s[:i]...), s[i+1:]...)
}
