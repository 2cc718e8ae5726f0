package partition

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// world is two replicas of one shard and the log they apply. One runs all the time; the other is loaded from its rows
// after every batch of commands. They must agree in everything, always.
type world struct {
	t       fataler
	options Options
	rows    [2]*keyspace.Mem
	machine [2]*Machine

	index uint64
	term  uint64
	clock uint64
	wall  int64

	split bool   // one entry per command, still in one batch
	ahead uint64 // of model: how many entries of the batch to come lie before the next command's
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func newWorld(t fataler, o Options) *world {
	w := &world{t: t, options: o, clock: 1000, wall: 1_000_000}
	for i := range w.rows {
		w.rows[i] = &keyspace.Mem{}
		w.machine[i] = New(o)
	}
	return w
}

// apply runs the commands as one entry (or, if split, as one each), all in one batch, and gives their results and the
// effects.
func (w *world) apply(cs ...command.Message) ([]command.Message, []Effect) {
	w.t.Helper()
	first := w.index + 1
	w.index += uint64(max(1, len(cs)))
	if !w.split {
		w.index = first
	}
	var results [2][]command.Message
	var effects [2][]Effect
	for i, m := range w.machine {
		position := uint32(8)
		for j, c := range cs {
			index := min(first+uint64(j), w.index)
			body := c.AppendTo(nil)
			ctx := Context{Index: index, Position: position, Term: w.term, Clock: w.clock, Wall: w.wall}
			position += uint32(len(body)) + 3
			before := bytes.Clone(body)
			result, err := m.Apply(ctx, body, w.rows[i], []byte("before"))
			if err != nil {
				w.t.Fatalf("%v: %v", c, err)
			}
			if !bytes.Equal(before, body) || !bytes.HasPrefix(result, []byte("before")) {
				w.t.Fatalf("%v: Apply changed what it was given", c)
			}
			for j := range body { // it was borrowed
				body[j] = 0xDB
			}
			r, err := command.Decode(result[len("before"):])
			if err != nil {
				w.t.Fatalf("%v: result: %v", c, err)
			}
			results[i] = append(results[i], r)
		}
		effects[i] = append(effects[i], m.Flush(w.rows[i])...)
		w.rows[i].Commit()
	}
	w.agree()
	if fmt.Sprint(results[0]) != fmt.Sprint(results[1]) || fmt.Sprint(effects[0]) != fmt.Sprint(effects[1]) {
		w.t.Fatalf("replicas answer differently:\n%v %v\n%v %v", results[0], effects[0], results[1], effects[1])
	}
	return results[0], effects[0]
}

// agree compares the replicas, and restarts the second.
func (w *world) agree() {
	w.t.Helper()
	loaded, err := Load(w.options, w.rows[1])
	if err != nil {
		w.t.Fatalf("load: %v", err)
	}
	w.machine[1] = loaded
	if a, b := w.machine[0].Describe(), loaded.Describe(); a != b {
		w.t.Fatalf("the machine:\n%s\nloaded from its rows:\n%s", a, b)
	}
	if a, b := w.rows[0].Describe(), w.rows[1].Describe(); a != b {
		w.t.Fatalf("rows of one replica:\n%s\nof the other:\n%s", a, b)
	}
}

// lead begins a leader term.
func (w *world) lead(term uint64) {
	w.term = max(w.term, term)
	for _, m := range w.machine {
		m.LeaderStart(term)
	}
	w.apply()
}

func (w *world) head(id broker.Partition) *Head {
	w.t.Helper()
	h, ok := w.machine[0].Head(id)
	if !ok {
		w.t.Fatalf("no partition %v", id)
	}
	return &h
}

// live are the names of all entries that are live.
func (w *world) live(lo, hi uint64) []Name {
	w.t.Helper()
	var names []Name
	if err := LiveNames(w.rows[0], lo, hi, func(n Name) bool {
		names = append(names, n)
		return true
	}); err != nil {
		w.t.Fatalf("live names: %v", err)
	}
	return names
}

// batches are all batches of a log.
func (w *world) batches(h *Head) []Batch {
	w.t.Helper()
	var bs []Batch
	if err := Batches(w.rows[0], h, 0, func(b Batch) bool {
		bs = append(bs, b)
		return true
	}); err != nil {
		w.t.Fatalf("batches: %v", err)
	}
	return bs
}

// parsePartition reads "a/0": topic a, partition 0.
func parsePartition(s string) broker.Partition {
	topic, index, _ := strings.Cut(s, "/")
	n, _ := strconv.Atoi(index)
	id := broker.Partition{Index: int32(n)}
	copy(id.Topic[:], topic)
	return id
}

// line is one command as a script writes it: a verb, a partition, and key=value.
type line struct {
	t    *testing.T
	verb string
	id   broker.Partition
	args map[string]string
}

func parseLine(t *testing.T, s string) line {
	words := strings.Fields(s)
	l := line{t: t, verb: words[0], args: map[string]string{}}
	for _, word := range words[1:] {
		if k, v, ok := strings.Cut(word, "="); ok {
			l.args[k] = v
		} else {
			l.id = parsePartition(word)
		}
	}
	return l
}

func (l line) int(key string, otherwise int64) int64 {
	s, ok := l.args[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		l.t.Fatalf("%s=%s: %v", key, s, err)
	}
	return n
}

func (l line) config() command.PartitionConfig {
	return command.PartitionConfig{Version: uint64(l.int("version", 1)), BatchBytesMax: uint32(l.int("batch-max", 1000)),
		RetentionMs: l.int("retention-ms", -1), RetentionBytes: l.int("retention-bytes", -1), DeleteOld: l.int("delete-old", 1) == 1}
}

func (l line) command() command.Message {
	switch l.verb {
	case "create":
		return &command.PartitionCreate{Topic: l.id.Topic, Partition: l.id.Index, BaseEpoch: broker.LeaderEpoch(l.int("base", 0)), Config: l.config()}
	case "configure":
		return &command.PartitionConfigure{Topic: l.id.Topic, Partition: l.id.Index, Config: l.config()}
	case "delete":
		return &command.PartitionDelete{Topic: l.id.Topic, Partition: l.id.Index}
	case "trim":
		return &command.PartitionTrim{Topic: l.id.Topic, Partition: l.id.Index, LogStart: broker.Offset(l.int("to", 0)), BytesBefore: uint64(l.int("bytes", 0))}
	case "sweep":
		return &command.Sweep{Budget: uint32(l.int("budget", 10)), ProducerExpireMs: l.int("expire", -1)}
	case "check":
		return &command.Check{At: uint64(l.int("at", 0)), Digest: uint64(l.int("digest", 0))}
	case "append":
		return newAppend(l.id, int32(l.int("records", 1)), uint32(l.int("bytes", 100)), func(c *command.Append) {
			c.ProducerID = broker.ProducerID(l.int("producer", -1))
			c.ProducerEpoch = broker.ProducerEpoch(l.int("epoch", 0))
			c.BaseSequence = int32(l.int("seq", -1))
			c.MaxTimestamp = l.int("ts", 500)
			c.MaxTimestampDelta = int32(l.int("ts-at", 0))
			c.LogAppendTime = l.int("stamp", -1)
			c.Fingerprint = uint64(l.int("content", 0))
			c.Attributes = int16(l.int("attributes", 0))
		})
	}
	l.t.Fatalf("unknown command %q", l.verb)
	return nil
}

func newAppend(id broker.Partition, records int32, length uint32, more func(*command.Append)) *command.Append {
	c := &command.Append{Topic: id.Topic, Partition: id.Index, Records: records, ProducerID: -1, BaseSequence: -1, LogAppendTime: -1}
	more(c)
	c.Payload = bytes.Repeat([]byte{byte(c.Fingerprint)}, int(length))
	c.PayloadLength = length
	c.PayloadCRC = crc32.Checksum(c.Payload, crc32.MakeTable(crc32.Castagnoli))
	return c
}
