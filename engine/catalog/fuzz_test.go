package catalog

import (
	"bytes"
	"testing"

	"github.com/tallymq/tallymq/engine/command"
)

func fuzzView(f *testing.F) *View {
	w := newWorld(f)
	c, err := PlanBootstrap("c", []*Node{testNode(1, "r")}, 1)
	if err != nil {
		f.Fatal(err)
	}
	w.apply(c)
	w.apply(&command.NodeRegister{Spec: testNode(2, "s").Spec()})
	f.Add(w.m.Snapshot().AppendTo(nil))
	before := w.m.Snapshot()
	shards, _ := before.Spread(2, "")
	w.apply(&command.TopicCreate{Topic: topicID("t"), Name: "t", Shards: shards, Configs: []command.ConfigItem{{Key: "retention.ms", Value: "1"}}})
	f.Add(w.m.Snapshot().AppendTo(nil))
	f.Add(AppendDelta(nil, before, w.m.Snapshot()))
	w.apply(&command.ExchangeDeclare{Host: "/", Exchange: command.ExchangeSpec{Name: "x", Type: "topic"}})
	w.apply(&command.QuotaAlter{UserKind: 2, User: "u", ClientKind: 1, Changes: []command.QuotaChange{{Key: 1, Rate: 9}, {Key: 2, Rate: 10}}})
	f.Add(w.m.Snapshot().AppendTo(nil))
	return before
}

// FuzzView: a view that is accepted encodes to the same bytes.
func FuzzView(f *testing.F) {
	fuzzView(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := DecodeView(b)
		if err != nil {
			return
		}
		if again := v.AppendTo(nil); !bytes.Equal(again, b) {
			t.Fatalf("decoded %x\nencoded %x", b, again)
		}
	})
}

// FuzzPatch: a difference that is accepted leads to a view that can be encoded and decoded.
func FuzzPatch(f *testing.F) {
	base := fuzzView(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := base.Patch(b)
		if err != nil {
			return
		}
		again, err := DecodeView(v.AppendTo(nil))
		if err != nil || again.Describe() != v.Describe() {
			t.Fatalf("patched %v, again %v: %v", v, again, err)
		}
	})
}
