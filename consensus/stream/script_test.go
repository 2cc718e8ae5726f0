package stream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScripts runs the scenarios of testdata. Verbs:
//
//	open node=N nonce=K [expects=I]      an open reaches the log (expects: the incarnation it replaces)
//	commands node=N inc=I first=F n=C [round=R] [term=T] [clockterm=T clock=MS]
//	start node=N term=T [clock=MS]       a leader-start reaches the log
//	state                                prints the state
//	sender node=N                        a new sender; seal n=C, send, and verdicts on its node's entries move it
//	sender-open nonce=K | seal n=C | again | install     what the sender does; unseen on an entry: its verdict is jumped over
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.Contains(path, "fuzz") {
			t.Skip("a corpus")
		}
		var s State
		var sender *Sender
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			arg := func(name string, def uint64) uint64 {
				if !d.HasArg(name) {
					return def
				}
				var v uint64
				d.ScanArgs(t, name, &v)
				return v
			}
			e := Entry{Header: Header{Node: int32(arg("node", 1))}}
			switch d.Cmd {
			case "open":
				e.Kind, e.First, e.Incarnation = KindOpen, arg("nonce", 1), arg("expects", 0)
			case "start":
				e.Kind, e.ClockTerm, e.Clock = KindLeaderStart, arg("term", 1), arg("clock", 0)
			case "commands":
				e.Kind, e.Incarnation, e.First, e.Round = KindCommands, arg("inc", 1), arg("first", 1), uint32(arg("round", 0))
				e.ClockTerm, e.Clock = arg("clockterm", 0), arg("clock", 0)
				for range arg("n", 1) {
					e.Commands = append(e.Commands, Command{Term: arg("term", 0)})
				}
			case "state":
				return s.Describe()
			case "sender":
				x := NewSender(e.Node)
				sender = &x
				return sender.String() + "\n"
			case "sender-open":
				h := sender.Open(arg("nonce", 1), s.Stream(sender.node))
				return h.String() + "\n"
			case "seal":
				sender.Seal(int(arg("n", 1)))
				return sender.Header(sender.InFlight()-1).String() + "\n"
			case "again":
				sender.Again()
				return sender.String() + "\n"
			case "install":
				return fmt.Sprintf("%+v\n%v\n", sender.Installed(s.Stream(sender.node)), sender)
			default:
				return "unknown verb\n"
			}
			var got Entry
			if err := Decode(AppendEntry(nil, &e), &got); err != nil {
				return err.Error() + "\n"
			}
			v := s.Apply(&got)
			out := v.Outcome.String()
			if v.Skip > 0 {
				out += fmt.Sprintf(" skip=%d", v.Skip)
			}
			if v.Outcome == Applied && len(got.Commands) > 0 && s.Stale(&got.Commands[0]) {
				out += " stale"
			}
			if got.Kind != KindLeaderStart {
				out += " " + v.Stream.String()
			}
			if sender != nil && !d.HasArg("unseen") && sender.node == got.Node && got.Kind != KindLeaderStart {
				out += fmt.Sprintf("\n%+v\n%v", sender.Observe(got.Header, v), sender)
			}
			return out + "\n"
		})
	})
}
