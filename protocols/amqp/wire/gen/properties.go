package main

// writeProperties writes the properties of the basic class. The first property has the highest bit of the flags; the
// lowest bit would say that another word of flags follows, which no class needs.
func writeProperties(s *source, spec *specification) {
	fields := spec.class("basic").Fields
	s.head()
	s.line("// Which properties a message has.")
	s.line("const (")
	for i, f := range fields {
		s.line("Has%s PropertyFlags = 1 << %d", camel(f.Name), 15-i)
	}
	s.line("")
	s.line("propertyFlagsKnown PropertyFlags = %#x", 1<<16-1<<(16-len(fields)))
	s.line(")")
	s.line("// Properties are the properties of a message. A field counts only if its bit of Flags is set; the setters set both.")
	s.line("type Properties struct {")
	s.line("Flags PropertyFlags")
	for _, f := range fields {
		writeFieldDeclaration(s, f)
	}
	s.line("}")
	s.line("func (p *Properties) decode(r *reader) {")
	for _, f := range fields {
		s.line("if p.Flags&Has%s != 0 {", camel(f.Name))
		if f.Type == "shortstr" {
			s.line("r.shortString(%q, &p.%s)", f.Name, camel(f.Name))
		} else {
			s.line("p.%s = r.%s(%q)", camel(f.Name), readers[f.Type], f.Name)
		}
		s.line("} else {")
		s.line("p.%s = %s", camel(f.Name), zero(f))
		s.line("}")
	}
	s.line("}")
	s.line("// appendList appends the values of the properties that are there.")
	s.line("func (p *Properties) appendList(to []byte) []byte {")
	for _, f := range fields {
		s.line("if p.Flags&Has%s != 0 {", camel(f.Name))
		s.line("to = %s(to, p.%s)", appenders[f.Type], camel(f.Name))
		s.line("}")
	}
	s.line("return to")
	s.line("}")
	s.line("func (p *Properties) print(t *text) {")
	for _, f := range fields {
		s.line("if p.Flags&Has%s != 0 {", camel(f.Name))
		s.line("t.%s(%q, p.%s)", printer(f), f.Name, camel(f.Name))
		s.line("}")
	}
	s.line("}")
	for _, f := range fields {
		n := camel(f.Name)
		s.line("// Set%s sets the property %s.", n, f.Name)
		s.line("func (p *Properties) Set%s(v %s) { p.%s, p.Flags = v, p.Flags|Has%s }", n, goTypes[f.Type], n, n)
		s.line("")
	}
}

func zero(f *field) string {
	switch f.Type {
	case "shortstr":
		return `""`
	case "table":
		return "nil"
	}
	return "0"
}
