package kafka

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// scramble fills a message with random values, so that every field of its version is on the wire.
func scramble(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			scramble(r, v.Elem())
		}
	case reflect.Struct:
		if tags, ok := v.Addr().Interface().(*kmsg.Tags); ok {
			if r.IntN(4) == 0 {
				tags.Set(uint32(60+r.IntN(3)), []byte("tag"))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Version" {
				scramble(r, v.Field(i))
			}
		}
	case reflect.Slice:
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			scramble(r, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			scramble(r, v.Index(i))
		}
	case reflect.String:
		v.SetString(strings.Repeat("x", r.IntN(150)))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(256)))
	}
}

func testAPIs(t testing.TB) map[int16]*api {
	t.Helper()
	return newAPIs(&Server{})
}

// A layout agrees with the codec on every version of every request: it consumes a whole body, and refuses each part.
func TestLayoutsAgreeWithTheCodec(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for key, a := range testAPIs(t) {
		for version := a.min; version <= a.max; version++ {
			for range 30 {
				q := kmsg.RequestForKey(key)
				q.SetVersion(version)
				scramble(r, reflect.ValueOf(q).Elem())
				body := q.AppendTo(nil)
				if left, ok := a.layout.check(body, version, q.IsFlexible()); !ok || left != 0 {
					t.Fatalf("%s %d: ok %v, %d bytes left of %d: %+v", a.name, version, ok, left, len(body), q)
				}
				again := kmsg.RequestForKey(key)
				again.SetVersion(version)
				if err := again.ReadFrom(body); err != nil || !bytes.Equal(again.AppendTo(nil), body) {
					t.Fatalf("%s %d: the codec does not agree with itself: %v", a.name, version, err)
				}
				for n := range body {
					if _, ok := a.layout.check(body[:n], version, q.IsFlexible()); ok {
						t.Fatalf("%s %d: accepts %d bytes of %d", a.name, version, n, len(body))
					}
				}
			}
		}
	}
}

// A count of tagged fields or elements that is not there is refused without work for each.
func TestLayoutRefusesClaims(t *testing.T) {
	apis := testAPIs(t)
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x0f}
	for name, c := range map[string]struct {
		key, version int16
		body         []byte
	}{
		"tags":            {keyDescribeCluster, 0, append([]byte{1}, huge...)},
		"compact array":   {keyMetadata, 12, append(append([]byte{}, huge...), 1, 1, 0)},
		"array":           {keyMetadata, 4, []byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 1}},
		"more than there": {keyMetadata, 4, append([]byte{0, 0, 0, 9}, make([]byte, 9)...)},
		"many tags":       {keyDescribeCluster, 0, append([]byte{1, tagsMax + 1}, make([]byte, 2*(tagsMax+1))...)},
	} {
		q := kmsg.RequestForKey(c.key)
		q.SetVersion(c.version)
		if _, ok := apis[c.key].layout.check(c.body, c.version, q.IsFlexible()); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Random bytes with any header never make the server's decoder panic, nor take more than a bounded multiple of their size; what is
// accepted is encoded again to bytes that decode equal.
func FuzzRequest(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	apis := testAPIs(f)
	for key := range int16(61) {
		a := apis[key]
		if a == nil {
			continue
		}
		for version := a.min; version <= a.max; version++ {
			q := kmsg.RequestForKey(key)
			q.SetVersion(version)
			scramble(r, reflect.ValueOf(q).Elem())
			f.Add(kmsg.NewRequestFormatter(kmsg.FormatterClientID("c")).AppendRequest(nil, q, 7)[4:])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < headerBytesMin {
			return
		}
		h, rest := decodeHeader(b)
		a := apis[h.key]
		if a == nil || h.version < a.min || h.version > a.max {
			return
		}
		q := &request{conn: &conn{}, api: a, header: h}
		if err := q.decode(rest); err != nil {
			return
		}
		if size := footprint(reflect.ValueOf(q.body)); size > 4096+40*len(b) {
			t.Errorf("%s %d: %d bytes became %d", a.name, h.version, len(b), size)
		}
		first := q.body.AppendTo(nil)
		again := kmsg.RequestForKey(h.key)
		again.SetVersion(h.version)
		if err := again.ReadFrom(first); err != nil || !bytes.Equal(again.AppendTo(nil), first) {
			t.Errorf("%s %d: decoded again it differs: %v", a.name, h.version, err)
		}
	})
}

// footprint is about what a value takes in memory.
func footprint(v reflect.Value) int {
	size := int(v.Type().Size())
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			size += footprint(v.Elem())
		}
	case reflect.String:
		size += v.Len()
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanInterface() {
				size += footprint(f) - int(f.Type().Size())
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			size += footprint(v.Index(i))
		}
	}
	return size
}
