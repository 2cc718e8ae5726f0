package command

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"pgregory.net/rapid"
)

var addGolden = flag.Bool("add-golden", false, "write golden files that are missing; existing ones are never touched")

// fill gives every field a value of its own, the same in every run.
func fill(v reflect.Value, n *uint64) {
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n) % 100)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(*n % 100)
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d", *n))
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint((*n + uint64(i)) % 256)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic(v.Kind())
	}
}

func sample(k Kind) Message {
	m := newMessage(k)
	n := uint64(k)
	fill(reflect.ValueOf(m).Elem(), &n)
	measure(m)
	return m
}

// measure fills in the length of a payload.
func measure(m Message) {
	switch m := m.(type) {
	case *Append:
		m.PayloadLength = uint32(len(m.Payload))
	case *PartitionCompact:
		m.PayloadLength = uint32(len(m.Payload))
	case *QueuePublish:
		m.PayloadLength = uint32(len(m.Payload))
	case *QueueTransact:
		m.PayloadLength = uint32(len(m.Payload))
	case *QueuePrepare:
		m.PayloadLength = uint32(len(m.Payload))
	}
}

// Every version that has a golden file decodes; the newest version of every kind has one and is what AppendTo writes.
func TestGolden(t *testing.T) {
	for _, k := range Kinds() {
		for version := uint8(1); version <= k.VersionMax(); version++ {
			path := filepath.Join("testdata", "golden", fmt.Sprintf("%v.v%d.txt", k, version))
			newest := version == k.VersionMax()
			m := sample(k)
			written := fmt.Sprintf("%x\n%v\n", m.AppendTo(nil), m)
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && newest && *addGolden {
				if err := os.WriteFile(path, []byte(written), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Errorf("%v version %d has no golden file: go test ./engine/command -run TestGolden -add-golden", k, version)
				continue
			}
			lines := strings.Split(string(golden), "\n")
			bytes, err := hex.DecodeString(lines[0])
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			decoded, err := Decode(bytes)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if newest && string(golden) != written {
				t.Errorf("%s: written now:\n%s", path, written)
			}
			if got := decoded.String(); got != lines[1] && (newest || !hasFieldsOf(got, lines[1])) {
				t.Errorf("%s: decoded as\n%v", path, decoded)
			}
		}
	}
}

// hasFieldsOf says that a message printed now has the fields that it had in an older version, in their order; between
// and behind them are the defaults of later ones.
func hasFieldsOf(now, then string) bool {
	fields := strings.Fields(then)
	for _, field := range strings.Fields(now) {
		if len(fields) > 0 && field == fields[0] {
			fields = fields[1:]
		}
	}
	return len(fields) == 0
}

// arbitrary fills a message at random.
func arbitrary(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int") >> (64 - 8*v.Type().Size()))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, "uint") >> (64 - 8*v.Type().Size()))
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "string"))
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rapid.Byte().Draw(t, "byte")))
		}
	case reflect.Slice:
		if n := rapid.IntRange(0, 3).Draw(t, "len"); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				arbitrary(t, v.Index(i))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			arbitrary(t, v.Field(i))
		}
	}
}

func TestDecodeIsInverseOfAppendTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(Kinds()).Draw(t, "kind")
		m := newMessage(k)
		arbitrary(t, reflect.ValueOf(m).Elem())
		measure(m)
		b := m.AppendTo(nil)
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("got  %v\nwant %v", got, m)
		}
		// No strict prefix is a message, and neither is anything longer.
		n := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if got, err := Decode(b[:n:n]); err == nil {
			t.Fatalf("%d of %d bytes decode as %v", n, len(b), got)
		}
		if got, err := Decode(append(b, 0)); err == nil {
			t.Fatalf("a byte too many decodes as %v", got)
		}
	})
}

// A reader of a later version gets defaults for what older bytes lack; a reader of an older one says so.
func TestVersions(t *testing.T) {
	old := SampleOld{Name: "n", Items: []SampleOldItem{{ID: broker.TopicID{1}}, {ID: broker.TopicID{2}}}, Count: 7}
	m := SampleNew{Limit: 9, Tags: []string{"stale"}}
	if err := m.Decode(old.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	want := SampleNew{Name: "n", Items: []SampleNewItem{{ID: broker.TopicID{1}, Epoch: -1}, {ID: broker.TopicID{2}, Epoch: -1}}, Count: 7, Limit: -1, On: true}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %v\nwant %v", &m, &want)
	}
	m.Tags, m.Items[0].Epoch = []string{"a"}, 4
	var again SampleNew
	if err := again.Decode(m.AppendTo(nil)); err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("%v: got %v", err, &again)
	}
	if err := old.Decode(m.AppendTo(nil)); !errors.Is(err, ErrUnknownVersion) {
		t.Errorf("an old reader: %v", err)
	}
	if err := m.Decode([]byte{0xF0, 0}); !errors.Is(err, ErrUnknownVersion) {
		t.Errorf("version 0: %v", err)
	}
	if _, err := Decode([]byte{0xFF, 1}); !errors.Is(err, ErrUnknownKind) {
		t.Errorf("kind ff: %v", err)
	}
}

// The produce path decodes one Append and encodes one result per batch: neither may allocate.
func TestHotPathAllocatesNothing(t *testing.T) {
	a := sample(KindAppend).(*Append)
	b := a.AppendTo(nil)
	var into Append
	var result AppendResult
	buffer := make([]byte, 0, 256)
	n := testing.AllocsPerRun(100, func() {
		buffer = a.AppendHead(buffer[:0])
		if err := into.Decode(b); err != nil {
			t.Fatal(err)
		}
		buffer = result.AppendTo(buffer[:0])
		if err := result.Decode(buffer); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if head := a.AppendHead(nil); string(head)+string(a.Payload) != string(b) {
		t.Error("head and payload are not the command")
	}
}

func TestDigest(t *testing.T) {
	// Known answers: replicas of different versions of the program compare their digests.
	var d Digest
	d = d.Add([]byte("command"), []byte("result"))
	d = d.Add(nil, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9})
	if got, want := d.String(), "cb8ad82b1ac58494"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	if (Digest(0)).Add([]byte("a"), []byte("b")) == (Digest(0)).Add([]byte("ab"), nil) {
		t.Error("the border between command and result is lost")
	}
	if (Digest(0)).Add([]byte{0}, nil) == (Digest(0)).Add([]byte{0, 0}, nil) {
		t.Error("trailing zeroes are lost")
	}
	seen := map[Digest]bool{}
	for i := range 1 << 16 {
		seen[Digest(7).Add([]byte{byte(i), byte(i >> 8)}, nil)] = true
	}
	if len(seen) != 1<<16 {
		t.Errorf("%d digests of %d commands", len(seen), 1<<16)
	}
}

func FuzzDecode(f *testing.F) {
	for _, k := range Kinds() {
		f.Add(sample(k).AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		_ = m.String()
		if b[1] == m.Kind().VersionMax() && string(m.AppendTo(nil)) != string(b) {
			t.Errorf("%x decodes as %v and is written as %x", b, m, m.AppendTo(nil))
		}
	})
}

func BenchmarkAppendDecode(b *testing.B) {
	bytes := sample(KindAppend).AppendTo(nil)
	var c Append
	for b.Loop() {
		if err := c.Decode(bytes); err != nil {
			b.Fatal(err)
		}
	}
}
