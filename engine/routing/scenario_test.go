package routing

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScenarios runs scripts. Each line of an input is one call; names of exchanges begin with @, of queues do not.
//
//	declare @NAME TYPE [durable] [auto-delete] [internal] [ARGUMENT=VALUE ...]
//	queue NAME
//	bind @FROM TO [key=KEY] [ARGUMENT=VALUE ...]      unbind, likewise
//	delete @NAME [if-unused] | delete QUEUE
//	publish @EXCHANGE [key=KEY] [cc=KEY] [bcc=KEY] [message-id=ID] [HEADER=VALUE ...]
//
// A value is a number, 1.5f, true, false, void, or a text.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		top := New()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "new":
				top = New()
				return ""
			case "describe":
				return top.Describe()
			case "run":
				var out strings.Builder
				for _, line := range strings.Split(d.Input, "\n") {
					if said := run(t, top, strings.Fields(line)); said != "" {
						fmt.Fprintf(&out, "%s: %s\n", line, said)
					}
				}
				return out.String()
			}
			d.Fatalf(t, "unknown verb %q", d.Cmd)
			return ""
		})
	})
}

func run(t *testing.T, top *Topology, words []string) string {
	said := func(gone []string, err error) string {
		if err != nil {
			return err.Error()
		}
		if len(gone) > 0 {
			return fmt.Sprintf("gone %q", gone)
		}
		return ""
	}
	switch name, exchange := strings.CutPrefix(words[1], "@"); words[0] {
	case "declare":
		x := Exchange{Name: name, Type: Type(words[2])}
		for _, w := range words[3:] {
			switch w {
			case "durable":
				x.Durable = true
			case "auto-delete":
				x.AutoDelete = true
			case "internal":
				x.Internal = true
			default:
				x.Arguments = append(x.Arguments, argument(w))
			}
		}
		return said(nil, top.Declare(x))
	case "queue":
		top.AddQueue(name)
		return ""
	case "bind", "unbind":
		b := Binding{Source: name}
		b.Destination.Name, b.Destination.Exchange = strings.CutPrefix(words[2], "@")
		for _, w := range words[3:] {
			if key, ok := strings.CutPrefix(w, "key="); ok {
				b.Key = key
			} else {
				b.Arguments = append(b.Arguments, argument(w))
			}
		}
		if words[0] == "bind" {
			return said(nil, top.Bind(b))
		}
		return said(top.Unbind(b))
	case "delete":
		if exchange {
			return said(top.Delete(name, len(words) > 2))
		}
		return said(top.RemoveQueue(name), nil)
	case "publish":
		if err := top.CanPublish(name); err != nil {
			return err.Error()
		}
		m := &Message{}
		for _, w := range words[2:] {
			what, value, _ := strings.Cut(w, "=")
			switch what {
			case "key":
				m.Key = value
			case "cc":
				m.CC = append(m.CC, value)
			case "bcc":
				m.BCC = append(m.BCC, value)
			case "message-id":
				m.MessageID = value
			default:
				m.Headers = append(m.Headers, argument(w))
			}
		}
		return fmt.Sprint(top.Route(new(Walk), name, m))
	}
	t.Fatalf("unknown call %q", words)
	return ""
}

func argument(word string) Argument {
	name, text, _ := strings.Cut(word, "=")
	switch text {
	case "void":
		return Argument{Name: name}
	case "true":
		return Argument{name, Value{Kind: Bool, Int: 1}}
	case "false":
		return Argument{name, Value{Kind: Bool}}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return Argument{name, Value{Kind: Int, Int: n}}
	}
	if number, ok := strings.CutSuffix(text, "f"); ok {
		if f, err := strconv.ParseFloat(number, 64); err == nil {
			return Argument{name, Value{Kind: Float, Float: f}}
		}
	}
	return Argument{name, Value{Kind: Text, Text: text}}
}
