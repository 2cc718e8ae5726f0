package partition

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// rowsOfEverything are the rows of a shard that has some of each table.
func rowsOfEverything(t testing.TB) *keyspace.Mem {
	w := newWorld(t, Options{})
	a, b := parsePartition("a/0"), parsePartition("b/1")
	w.lead(3)
	w.apply(&command.PartitionCreate{Topic: a.Topic, Config: command.PartitionConfig{BatchBytesMax: 1000}},
		&command.PartitionCreate{Topic: b.Topic, Partition: 1, Config: command.PartitionConfig{BatchBytesMax: 1000}})
	var cs []command.Message
	for i := range runFanOut + 1 {
		for _, id := range []broker.Partition{a, b} {
			cs = append(cs, newAppend(id, 2, 10, func(c *command.Append) { c.ProducerID, c.BaseSequence, c.MaxTimestamp = 9, int32(2*i), 77 }))
		}
	}
	w.apply(cs...)
	who := []command.TxnParticipant{{Topic: a.Topic}}
	for number := range uint64(2) { // one that aborted, one that is open
		w.apply(&command.TxnGrant{ProducerID: 8, Number: 1 + number, Grants: []command.TxnGrantItem{{Participant: who[0]}}},
			newAppend(a, 1, 10, func(c *command.Append) {
				c.ProducerID, c.BaseSequence, c.Attributes, c.MaxTimestamp = 8, int32(number), transactionalBit, 77
			}))
		if number == 0 {
			w.apply(&command.TxnDecide{Decision: command.TxnDecision{ProducerID: 8, Number: 1}, Participants: who})
		}
	}
	w.apply(&command.PartitionDelete{Topic: b.Topic, Partition: 1}, &command.Check{})
	return w.rows[0]
}

// Rows as they lie on disks. When this fails, the encoding of a row changed: give it a version and decode both.
func TestGoldenRows(t *testing.T) {
	rows := rowsOfEverything(t)
	seen := map[keyspace.Table]bool{}
	var got bytes.Buffer
	for _, table := range []keyspace.Table{keyspace.TableMachine, keyspace.TablePartition, keyspace.TableEpoch, keyspace.TableBatch,
		keyspace.TableTime, keyspace.TableWindow, keyspace.TableReverse, keyspace.TableDoomed, keyspace.TableHold, keyspace.TableAborted} {
		lo, hi := keyspace.TableRange(table)
		_ = rows.Scan(lo, hi, func(k, v []byte) bool {
			if !seen[table] { // one of each is enough
				seen[table] = true
				if table == keyspace.TableWindow {
					v = v[:8] // the rest is package txn's to keep
				}
				if table == keyspace.TableHold {
					v = v[:1] // and all of it
				}
				got.WriteString(hexRow(k, v))
			}
			return true
		})
		if !seen[table] {
			t.Errorf("no row of table %#x", table)
		}
	}
	golden(t, "testdata/golden_rows.txt", got.Bytes())
}

// compactedRows are a hole, a batch with tombstones, and the head of their log.
var compactedRows = map[string]string{
	"12000000008000000000000005": "020500000000000000010001000100c801c80101",
	"12000000008000000000000007": "020105090a01020304010890030101009003c801904e",
}

// Rows of compacted logs as they lie on disks.
func TestGoldenCompactedRows(t *testing.T) {
	for k, v := range compactedRows {
		key, _ := hex.DecodeString(k)
		value, _ := hex.DecodeString(v)
		_, b, err := decodeBatchRow(key, value)
		if err != nil || !bytes.Equal(appendBatchRow(nil, &b), value) {
			t.Errorf("%s = %s: %v %v: %x", k, v, b, err, appendBatchRow(nil, &b))
		}
	}
	p := &partition{}
	p.Compaction = command.CompactionConfig{Compact: true, DeleteRetentionMs: 1, MinLagMs: 2, MaxLagMs: 3, DirtyMillionths: 4}
	p.Rewrites, p.BytesTotal, p.FreedTotal, p.FreedBefore, p.Cleaned, p.CleanedBytes, p.NextHorizon = 5, 100, 7, 6, 8, 9, 10
	got := fmt.Sprintf("%x", appendHeadRow(nil, p))
	if want := "02000000000000000000000000000000000000000000000000000000006400000000000102040604050e0c080914"; got != want {
		t.Errorf("head %s, want %s", got, want)
	}
	loaded, err := decodeHeadRow(0, nil, appendHeadRow(nil, p))
	if err != nil || loaded.Describe() != p.Describe() {
		t.Errorf("%v\n%v", err, loaded.Describe())
	}
}

// Load of rows with any byte changed fails with ErrRow or gives a machine; it never panics. So do the queries.
func TestLoadSurvivesAnyFlippedByte(t *testing.T) {
	rows := rowsOfEverything(t)
	type row struct{ k, v []byte }
	var all []row
	_ = rows.Scan([]byte{0}, []byte{0xFF}, func(k, v []byte) bool {
		all = append(all, row{bytes.Clone(k), bytes.Clone(v)})
		return true
	})
	for i, r := range all {
		if i > 20 && r.k[0] == all[i-1].k[0] { // a few of each table
			continue
		}
		for at := range len(r.k) + len(r.v) {
			k, v := bytes.Clone(r.k), bytes.Clone(r.v)
			if at < len(k) {
				k[at] ^= 0x41
			} else {
				v[at-len(k)] ^= 0x41
			}
			broken := rows.Clone()
			broken.Delete(r.k)
			broken.Set(k, v)
			broken.Commit()
			m, err := Load(Options{}, broken)
			if err != nil && !errors.Is(err, ErrRow) {
				t.Fatalf("%x = %x: %v", k, v, err)
			}
			if err := LiveNames(broken, 0, 1<<64-1, func(Name) bool { return true }); err != nil && !errors.Is(err, ErrRow) {
				t.Fatalf("%x = %x: live names: %v", k, v, err)
			}
			if m == nil {
				continue
			}
			_ = m.Describe()
			for h := range m.Heads {
				if _, _, err := ByTimestamp(broken, &h, 0, 78); err != nil && !errors.Is(err, ErrRow) {
					t.Fatalf("%x = %x: by timestamp: %v", k, v, err)
				}
			}
		}
	}
}

// What Apply cannot read it refuses whole: the machine is as before.
func TestUnreadableCommands(t *testing.T) {
	w := newWorld(t, Options{})
	id := parsePartition("a/0")
	w.apply(&command.PartitionCreate{Topic: id.Topic})
	m := w.machine[0]
	before := m.Describe()
	good := newAppend(id, 1, 10, func(*command.Append) {}).AppendTo(nil)
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"empty":         {nil, command.ErrMalformed},
		"unknown kind":  {[]byte{0xEE, 1}, command.ErrUnknownKind},
		"not ours":      {(&command.GroupDelete{}).AppendTo(nil), command.ErrUnknownKind},
		"newer version": {append([]byte{good[0], 99}, good[2:]...), command.ErrUnknownVersion},
		"cut short":     {good[:len(good)-1], command.ErrMalformed},
	} {
		result, err := m.Apply(Context{Index: 9}, c.body, w.rows[0], []byte("x"))
		if !errors.Is(err, c.want) || string(result) != "x" {
			t.Errorf("%s: %q, %v", name, result, err)
		}
	}
	for _, k := range []command.Kind{command.KindAppend, command.KindPartitionCreate, command.KindPartitionConfigure, command.KindPartitionDelete,
		command.KindPartitionTrim, command.KindPartitionCompact, command.KindSweep, command.KindCheck} {
		if _, err := m.Apply(Context{Index: 9}, []byte{byte(k), 1}, w.rows[0], nil); !errors.Is(err, command.ErrMalformed) {
			t.Errorf("%v: %v", k, err)
		}
	}
	if after := m.Describe(); after != before || len(m.Flush(w.rows[0])) != 0 {
		t.Errorf("the machine changed:\n%s", after)
	}
}

// Retention deletes nothing on the word of rows that lag behind the head.
func TestRetainWithRowsOlderThanTheHead(t *testing.T) {
	w := newWorld(t, Options{})
	id := parsePartition("a/0")
	w.apply(&command.PartitionCreate{Topic: id.Topic, Config: command.PartitionConfig{BatchBytesMax: 100, RetentionMs: 10, RetentionBytes: -1, DeleteOld: true}})
	w.apply(newAppend(id, 1, 10, func(c *command.Append) { c.MaxTimestamp = 1 }))
	old := w.rows[0].Clone()
	w.apply(newAppend(id, 1, 10, func(c *command.Append) { c.MaxTimestamp = w.wall }))
	if c, due, err := Retain(old, w.head(id), w.wall); due || err != nil {
		t.Errorf("%v %v %v", &c, due, err)
	}
	if c, due, err := Retain(w.rows[0], w.head(id), w.wall); !due || c.LogStart != 1 || err != nil {
		t.Errorf("%v %v %v", &c, due, err)
	}
}

// A head that was handed out stays as it was.
func TestHeadsAreSnapshots(t *testing.T) {
	w := newWorld(t, Options{})
	id := parsePartition("a/0")
	w.apply(&command.PartitionCreate{Topic: id.Topic, Config: command.PartitionConfig{BatchBytesMax: 100}})
	var kept []Head
	var described []string
	for term := range uint64(6) {
		w.lead(term)
		_, effects := w.apply(newAppend(id, 1, 10, func(c *command.Append) {}))
		for _, h := range append([]Head{*w.head(id)}, effects[0].Head) {
			kept, described = append(kept, h), append(described, h.Describe())
		}
	}
	w.apply(&command.PartitionTrim{Topic: id.Topic, LogStart: 4, BytesBefore: 40})
	w.lead(9)
	w.apply(newAppend(id, 1, 10, func(c *command.Append) {}))
	for i := range kept {
		if now := kept[i].Describe(); now != described[i] {
			t.Errorf("was\n%s\nis\n%s", described[i], now)
		}
	}
	if es := w.head(id).Epochs(); es[0].Start != 4 {
		t.Errorf("epochs %v, want the first to begin at the log start", es)
	}
}

func FuzzRows(f *testing.F) {
	for k, v := range compactedRows {
		key, _ := hex.DecodeString(k)
		value, _ := hex.DecodeString(v)
		f.Add(key, value)
	}
	_ = rowsOfEverything(f).Scan([]byte{0}, []byte{0xFF}, func(k, v []byte) bool {
		f.Add(bytes.Clone(k), bytes.Clone(v))
		return true
	})
	f.Fuzz(func(t *testing.T, k, v []byte) {
		if _, b, err := decodeBatchRow(k, v); err == nil && !bytes.Equal(appendBatchRow(nil, &b), v) {
			t.Errorf("batch %x = %x is written as %x", k, v, appendBatchRow(nil, &b))
		}
		if r, err := decodeRunRow(k, v); err == nil && !bytes.Equal(appendRunRow(nil, &r), v) {
			t.Errorf("run %x = %x is written as %x", k, v, appendRunRow(nil, &r))
		}
		if p, err := decodeHeadRow(0, k, v); err == nil && !bytes.Equal(appendHeadRow(nil, p), v) {
			t.Errorf("head %x = %x is written as %x", k, v, appendHeadRow(nil, p))
		}
		rows := &keyspace.Mem{}
		rows.Set(k, v)
		rows.Commit()
		if m, err := Load(Options{}, rows); err == nil {
			_ = m.Describe()
		}
		_ = LiveNames(rows, 0, 1<<64-1, func(Name) bool { return true })
	})
}
