package partition

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// world is three replicas of one shard and the log they apply. They must agree in everything, always, though their
// lives differ: see steady, crashing and hasty.
type world struct {
	t       fataler
	options Options
	rows    [replicas]*keyspace.Mem
	machine [replicas]*Machine

	index uint64
	term  uint64
	clock uint64
	wall  int64

	split bool   // one entry per command, still in one batch
	ahead uint64 // of model: how many entries of the batch to come lie before the next command's
}

// The replicas.
const (
	steady   = iota // runs all the time
	crashing        // applies every batch twice, with a crash before the first commit, and restarts after it
	hasty           // commits after every single command, as if each came in a batch of its own
	replicas
)

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
	var results [replicas][]command.Message
	var effects [replicas][]Effect
	for i := range w.machine {
		if i == crashing {
			w.run(i, first, cs)
			w.rows[i].Discard()
			w.restart()
		}
		results[i], effects[i] = w.run(i, first, cs)
		w.rows[i].Commit()
	}
	w.agree()
	if fmt.Sprint(results[steady]) != fmt.Sprint(results[crashing]) || fmt.Sprint(results[steady]) != fmt.Sprint(results[hasty]) ||
		fmt.Sprint(effects[steady]) != fmt.Sprint(effects[crashing]) {
		w.t.Fatalf("replicas answer differently:\n%v\n%v", results, effects)
	}
	return results[steady], effects[steady]
}

// run applies commands on one replica, up to Flush.
func (w *world) run(replica int, first uint64, cs []command.Message) (results []command.Message, effects []Effect) {
	w.t.Helper()
	m, rows := w.machine[replica], w.rows[replica]
	position := uint32(8)
	for j, c := range cs {
		body := c.AppendTo(nil)
		ctx := Context{Index: min(first+uint64(j), w.index), Position: position, Term: w.term, Clock: w.clock, Wall: w.wall}
		position += uint32(len(body)) + 3
		if r := w.transact(m, ctx, c, rows); r != nil {
			results = append(results, r)
			if replica == hasty {
				m.Flush(rows)
				rows.Commit()
			}
			continue
		}
		before := bytes.Clone(body)
		result, err := m.Apply(ctx, body, rows, []byte("before"))
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
		results = append(results, r)
		if replica == hasty {
			m.Flush(rows)
			rows.Commit()
		}
	}
	return results, append(effects, m.Flush(rows)...)
}

// restart loads the crashing replica from its rows.
func (w *world) restart() {
	w.t.Helper()
	loaded, err := Load(w.options, w.rows[crashing])
	if err != nil {
		w.t.Fatalf("load: %v", err)
	}
	loaded.LeaderStart(w.term) // as the log says before what comes next; a no-op but for a leader-start that was lost
	w.machine[crashing] = loaded
}

// agree compares the replicas, after a restart of the crashing one.
func (w *world) agree() {
	w.t.Helper()
	w.restart()
	for i := range w.machine {
		if a, b := w.machine[steady].Describe(), w.machine[i].Describe(); a != b {
			w.t.Fatalf("the machine:\n%s\nreplica %d:\n%s", a, i, b)
		}
		if a, b := w.replicatedRows(steady), w.replicatedRows(i); a != b {
			w.t.Fatalf("rows of the steady replica:\n%s\nof replica %d:\n%s", a, i, b)
		}
		if a, b := w.live(steady), w.live(i); !slices.Equal(a, b) {
			w.t.Fatalf("live names of the steady replica: %v, of replica %d: %v", a, i, b)
		}
	}
}

// replicatedRows are all but the reverse rows, which depend on how commands came in batches.
func (w *world) replicatedRows(replica int) string {
	return w.rows[replica].Describe(keyspace.TableMachine, keyspace.TablePartition, keyspace.TableEpoch, keyspace.TableBatch,
		keyspace.TableTime, keyspace.TableWindow, keyspace.TableDoomed, keyspace.TableHold, keyspace.TableAborted)
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

// live are the names that are live, of all entries.
func (w *world) live(replica int) []Name {
	w.t.Helper()
	var names []Name
	if err := LiveNames(w.rows[replica], 0, 1<<64-1, func(n Name) bool {
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
		return &command.PartitionCreate{Topic: l.id.Topic, Partition: l.id.Index, BaseEpoch: broker.LeaderEpoch(l.int("base", 0)), Config: l.config(),
			Compaction: command.CompactionConfig{Compact: l.int("compact", 0) == 1}}
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
	case "grant":
		return l.grant()
	case "commit", "abort":
		return &command.TxnDecide{Decision: l.decision(l.verb == "commit"), Participants: l.participants()}
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
			c.Number = uint64(l.int("number", 0))
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
