package group

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

const goldenRows = "testdata/golden/rows_1.txt"

// goldenWorld has a group with members and one with offsets of every kind, and a sweep that stopped between them.
func goldenWorld(t *testing.T) *world {
	w := newWorld(t)
	w.now = 1 << 33
	w.apply(&command.GroupStore{Group: "g", Generation: 3, State: goldenExample().AppendTo(nil)})
	w.apply(&command.OffsetCommit{Group: "offsets\x00only", Generation: -1, RetentionMs: -1, Offsets: []command.OffsetCommitItem{
		{TopicID: w.ids["orders"], Topic: "orders", Partition: 1<<31 - 1, Offset: 1 << 40, LeaderEpoch: 7, Metadata: "m"},
		{TopicID: w.ids["orders"], Topic: "orders", Partition: 0, Offset: 0, LeaderEpoch: -1},
	}})
	w.apply(&command.OffsetCommit{Group: "offsets\x00only", Generation: -1, RetentionMs: 5000, Offsets: []command.OffsetCommitItem{
		{TopicID: w.ids["payments"], Topic: "payments", Partition: 2, Offset: 9, LeaderEpoch: 1}}})
	w.apply(&command.GroupSweep{Budget: 2, OffsetsRetentionMs: 1 << 40})
	return w
}

// TestGoldenRows: what version 1 wrote is read for ever, and written the same.
func TestGoldenRows(t *testing.T) {
	w := goldenWorld(t)
	b, err := os.ReadFile(goldenRows)
	if err != nil {
		t.Fatalf("%v; it would be\n%s", err, w.rows.Describe())
	}
	if got := w.rows.Describe(); got != string(b) {
		t.Errorf("written\n%sgolden\n%s", got, b)
	}
	m, err := LoadMachine(readRows(t, string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.String()+m.Dump(), w.m.String()+w.m.Dump(); got != want {
		t.Errorf("read\n%s\nwant\n%s", got, want)
	}
}

// readRows reads what keyspace.Mem.Describe printed.
func readRows(t *testing.T, text string) *keyspace.Mem {
	m := &keyspace.Mem{}
	for line := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		key, err := hex.DecodeString(k)
		if err != nil {
			t.Fatal(err)
		}
		value, err := hex.DecodeString(v)
		if err != nil {
			t.Fatal(err)
		}
		m.Set(key, value)
	}
	m.Commit()
	return m
}
