package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// writeChanges writes the rows in which two views differ.
func writeChanges(before, after *View, w keyspace.Writer) {
	w.Set(keyspace.ClusterKey(), appendCluster([]byte{formatVersion}, after))
	d := diff(before, after)
	for _, n := range d.nodes {
		w.Set(keyspace.AppendNodeKey(nil, n.ID), appendNode([]byte{formatVersion}, n))
	}
	for _, s := range d.shards {
		w.Set(keyspace.AppendShardKey(nil, s.ID), appendShard([]byte{formatVersion}, s))
	}
	for _, id := range d.gone {
		w.Delete(keyspace.AppendTopicKey(nil, id))
	}
	for _, t := range d.topics {
		w.Set(keyspace.AppendTopicKey(nil, t.ID), appendTopic([]byte{formatVersion}, t))
	}
	set, gone := diffObjects(before, after)
	for _, o := range gone {
		w.Delete([]byte(o.key))
	}
	for _, o := range set {
		w.Set([]byte(o.key), appendObject([]byte{formatVersion}, o))
	}
	for _, s := range d.slots {
		o := after.slots[s]
		w.Set(keyspace.AppendSlotKey(nil, uint32(s)), appendU64(appendU64([]byte{formatVersion}, uint64(o.Shard)), o.Version))
	}
}

func appendCluster(b []byte, v *View) []byte {
	return appendU64(appendU64(appendText(b, v.clusterID), v.version), uint64(v.producers))
}

// loadView reads all rows.
func loadView(rows keyspace.Reader) (*View, error) {
	v := EmptyView()
	b, ok, err := rows.Get(keyspace.ClusterKey())
	if err != nil || !ok {
		return v, err
	}
	c := &cursor{b: b}
	c.version()
	v.clusterID, v.version, v.producers = c.text(), c.u64(), int64(c.u64())
	if err := c.end("cluster row"); err != nil {
		return nil, err
	}
	scan := func(t keyspace.Table, read func(key []byte, c *cursor) error) error {
		var failed error
		lo, hi := keyspace.TableRange(t)
		err := rows.Scan(lo, hi, func(k, b []byte) bool {
			c := &cursor{b: b}
			c.version()
			if failed = read(k, c); failed == nil {
				failed = c.end(fmt.Sprintf("row %x", k))
			}
			return failed == nil
		})
		if err != nil {
			return err
		}
		return failed
	}
	if err := scan(keyspace.TableNode, func(_ []byte, c *cursor) error { v.nodes = append(v.nodes, c.node()); return nil }); err != nil {
		return nil, err
	}
	if err := scan(keyspace.TableShard, func(_ []byte, c *cursor) error { v.shards = append(v.shards, c.shard()); return nil }); err != nil {
		return nil, err
	}
	if err := scan(keyspace.TableTopic, func(_ []byte, c *cursor) error { v.topics = append(v.topics, c.topic()); return nil }); err != nil {
		return nil, err
	}
	err = scan(keyspace.TableSlot, func(k []byte, c *cursor) error {
		s, err := keyspace.DecodeSlotKey(k)
		if err != nil || s >= Slots {
			return fmt.Errorf("%w: slot row %x", ErrMalformed, k)
		}
		v.slots[s] = SlotOwner{Shard: broker.ShardID(c.u64()), Version: c.u64()}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, t := range []keyspace.Table{keyspace.TableExchange, keyspace.TableQueueName, keyspace.TableBinding, keyspace.TableQuota} {
		err := scan(t, func(k []byte, c *cursor) error {
			o := c.object()
			if !c.failed && o.key != string(k) {
				return fmt.Errorf("%w: row %x is of another object", ErrMalformed, k)
			}
			v.objects = append(v.objects, o)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	v.tabulate(EmptyView())
	return v, v.index()
}

// index sorts what was read and refuses what no machine can have written.
func (v *View) index() error {
	slices.SortFunc(v.nodes, func(a, b *Node) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(v.shards, func(a, b *Shard) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(v.topics, func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) })
	v.byID = slices.Clone(v.topics)
	slices.SortFunc(v.byID, func(a, b *Topic) int { return compareTopicID(a, b.ID) })
	for i := 1; i < len(v.topics); i++ {
		if v.topics[i].Name == v.topics[i-1].Name || v.byID[i].ID == v.byID[i-1].ID {
			return fmt.Errorf("%w: topic %q or its id is there twice", ErrMalformed, v.topics[i].Name)
		}
	}
	for i := 1; i < len(v.nodes); i++ {
		if v.nodes[i].ID == v.nodes[i-1].ID {
			return fmt.Errorf("%w: node %d is there twice", ErrMalformed, v.nodes[i].ID)
		}
	}
	for i := 1; i < len(v.shards); i++ {
		if v.shards[i].ID == v.shards[i-1].ID {
			return fmt.Errorf("%w: shard %d is there twice", ErrMalformed, v.shards[i].ID)
		}
	}
	return nil
}
