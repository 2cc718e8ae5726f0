package main

import (
	"fmt"
	"strings"
)

func writeMethods(s *source, spec *specification) {
	s.head()
	writeMethodIDs(s, spec)
	writeTraits(s, spec)
	writeScratch(s, spec)
	for _, c := range spec.Classes {
		for _, m := range c.Methods {
			writeMethod(s, m)
		}
	}
}

func each(spec *specification, do func(*method)) {
	for _, c := range spec.Classes {
		for _, m := range c.Methods {
			do(m)
		}
	}
}

func writeMethodIDs(s *source, spec *specification) {
	s.line("// Methods.")
	s.line("const (")
	each(spec, func(m *method) {
		s.line("Method%s MethodID = %d<<16 | %d", m.goName(), m.class.Index, m.Index)
	})
	s.line(")")
	s.line("// MethodIDs lists every method, in ascending order of class and method.")
	s.line("func MethodIDs() []MethodID {")
	s.line("return []MethodID{")
	each(spec, func(m *method) { s.line("Method%s,", m.goName()) })
	s.line("}")
	s.line("}")
}

func writeTraits(s *source, spec *specification) {
	s.line("func (id MethodID) traits() (traits, bool) {")
	s.line("switch id {")
	each(spec, func(m *method) {
		t := []string{fmt.Sprintf("name: %q", m.name())}
		for _, flag := range []struct {
			name string
			set  bool
		}{
			{"content", m.Content}, {"synchronous", m.Synchronous},
			{"toServer", m.receivedBy("server")}, {"toClient", m.receivedBy("client")},
		} {
			if flag.set {
				t = append(t, flag.name+": true")
			}
		}
		s.line("case Method%s: return traits{%s}, true", m.goName(), strings.Join(t, ", "))
	})
	s.line("}")
	s.line("return traits{}, false")
	s.line("}")
}

// reused are the methods that a peer sends in streams: those that wait for no answer.
func reused(m *method) bool {
	return m.class.Name == "basic" && !m.Synchronous
}

func field0(m *method) string {
	n := m.goName()
	return strings.ToLower(n[:1]) + n[1:]
}

func writeScratch(s *source, spec *specification) {
	s.line("// Scratch holds one of each method that peers send in streams, so that decoding such a method allocates nothing")
	s.line("// unless a string differs from the one before. The zero value is ready.")
	s.line("type Scratch struct {")
	s.line("reader reader // which would escape to the heap, since methods are decoded through an interface")
	each(spec, func(m *method) {
		if reused(m) {
			s.line("%s %s", field0(m), m.goName())
		}
	})
	s.line("}")
	s.line("// newMethod returns nil for a method that does not exist.")
	s.line("func newMethod(id MethodID, scratch *Scratch) Method {")
	s.line("switch id {")
	each(spec, func(m *method) {
		s.line("case Method%s:", m.goName())
		if reused(m) {
			s.line("if scratch != nil { return &scratch.%s }", field0(m))
		}
		s.line("return new(%s)", m.goName())
	})
	s.line("}")
	s.line("return nil")
	s.line("}")
}

func writeMethod(s *source, m *method) {
	writeStruct(s, m)
	r := "m"
	if len(live(m.Fields)) == 0 {
		r = "" // staticcheck: a receiver that is not used has no name
	}
	s.line("// ID returns Method%s.", m.goName())
	s.line("func (*%s) ID() MethodID { return Method%s }", m.goName(), m.goName())
	s.line("")
	s.line("func (%s *%s) decode(r *reader) {", r, m.goName())
	groups(m.Fields, func(bits []*field) { readBits(s, bits) }, func(f *field) { readField(s, f) })
	s.line("}")
	s.line("")
	s.line("// AppendArguments appends the method's arguments as they are on the wire.")
	s.line("func (%s *%s) AppendArguments(to []byte) []byte {", r, m.goName())
	groups(m.Fields, func(bits []*field) { appendBits(s, bits) }, func(f *field) { appendField(s, f) })
	s.line("return to")
	s.line("}")
	s.line("")
	s.line("// String is the method's name and its arguments; secrets show their length only.")
	s.line("func (%s *%s) String() string {", r, m.goName())
	s.line("t := newText(Method%s)", m.goName())
	for _, f := range live(m.Fields) {
		s.line("t.%s(%q, m.%s)", printer(f), f.Name, camel(f.Name))
	}
	s.line("return t.String()")
	s.line("}")
	s.line("")
}

func writeStruct(s *source, m *method) {
	var from []string
	if m.receivedBy("server") {
		from = append(from, "clients")
	}
	if m.receivedBy("client") {
		from = append(from, "the server")
	}
	var answers []string
	for _, r := range m.Responses {
		answers = append(answers, m.class.Name+"."+r.Name)
	}
	more := ""
	if len(answers) > 0 {
		more = ", answered by " + strings.Join(answers, " or ")
	}
	if m.Content {
		more += ", followed by a content"
	}
	s.line("// %s is %s (%d.%d), sent by %s%s.", m.goName(), m.name(), m.class.Index, m.Index, strings.Join(from, " and "), more)
	s.line("type %s struct {", m.goName())
	for _, f := range live(m.Fields) {
		writeFieldDeclaration(s, f)
	}
	s.line("}")
	s.line("")
}

func writeFieldDeclaration(s *source, f *field) {
	comment := units[f.Name]
	if comment == "" {
		comment = units[f.Type]
	}
	if comment != "" {
		comment = " // " + comment
	}
	s.line("%s %s%s", camel(f.Name), goTypes[f.Type], comment)
}

// live are the fields that carry a meaning.
func live(fields []*field) (out []*field) {
	for _, f := range fields {
		if !f.Reserved {
			out = append(out, f)
		}
	}
	return out
}

// groups calls one for each field, and many for each run of up to eight bits, which share an octet.
func groups(fields []*field, many func([]*field), one func(*field)) {
	for i := 0; i < len(fields); {
		if fields[i].Type != "bit" {
			one(fields[i])
			i++
			continue
		}
		end := i
		for end < len(fields) && fields[end].Type == "bit" && end-i < 8 {
			end++
		}
		many(fields[i:end])
		i = end
	}
}

func readField(s *source, f *field) {
	switch {
	case f.Reserved && f.Type == "shortstr":
		s.line("r.skipShortString(%q)", f.Name)
	case f.Reserved:
		s.line("r.%s(%q)", readers[f.Type], f.Name)
	case f.Type == "shortstr":
		s.line("r.shortString(%q, &m.%s)", f.Name, camel(f.Name))
	default:
		s.line("m.%s = r.%s(%q)", camel(f.Name), readers[f.Type], f.Name)
	}
}

// readBits keeps the scope of the octet to its group. Bits that nobody defined are ignored, as RabbitMQ does.
func readBits(s *source, bits []*field) {
	if len(live(bits)) == 0 {
		s.line("r.octet(%q)", bits[0].Name)
		return
	}
	s.line("{")
	s.line("bits := r.octet(%q)", bits[0].Name)
	for i, f := range bits {
		if !f.Reserved {
			s.line("m.%s = bits&(1<<%d) != 0", camel(f.Name), i)
		}
	}
	s.line("}")
}

func appendField(s *source, f *field) {
	switch {
	case f.Reserved && (f.Type == "shortstr"):
		s.line(`to = appendShortString(to, "")`)
	case f.Reserved && (f.Type == "longstr" || f.Type == "table"):
		s.line("to = %s(to, nil)", appenders[f.Type])
	case f.Reserved:
		s.line("to = %s(to, 0)", appenders[f.Type])
	default:
		s.line("to = %s(to, m.%s)", appenders[f.Type], camel(f.Name))
	}
}

func appendBits(s *source, bits []*field) {
	var args []string
	for _, f := range bits {
		if f.Reserved {
			args = append(args, "false")
		} else {
			args = append(args, "m."+camel(f.Name))
		}
	}
	s.line("to = appendBits(to, %s)", strings.Join(args, ", "))
}

// printer is the method of text that prints a field.
func printer(f *field) string {
	switch {
	case secrets[f.Name]:
		return "secret"
	case f.Type == "bit":
		return "bit"
	case f.Type == "shortstr":
		return "short"
	case f.Type == "longstr":
		return "long"
	case f.Type == "table":
		return "table"
	}
	return map[string]string{"octet": "octet", "short": "word", "long": "number", "longlong": "big", "timestamp": "big"}[f.Type]
}
