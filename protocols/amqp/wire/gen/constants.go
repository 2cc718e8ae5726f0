package main

import "strings"

func writeConstants(s *source, spec *specification) {
	s.head()
	s.line("// Frame types and sizes.")
	s.line("const (")
	for _, c := range spec.Constants {
		switch c.Name {
		case "frame-min-size":
			s.line("// FrameBytesMin is the least frame-max that peers may agree on, in bytes with head and end.")
			s.line("FrameBytesMin = %d", c.Value)
		case "frame-end":
			s.line("// FrameEnd is the last octet of every frame.")
			s.line("FrameEnd byte = %d", c.Value)
		default:
			if kind, ok := strings.CutPrefix(c.Name, "frame-"); ok && c.Class == "" {
				s.line("Frame%s FrameType = %d", camel(kind), c.Value)
			}
		}
	}
	s.line(")")
	writeReplyCodes(s, spec)
	s.line("// Classes.")
	s.line("const (")
	for _, c := range spec.Classes {
		s.line("Class%s ClassID = %d", camel(c.Name), c.Index)
	}
	s.line(")")
}

// replies are the constants that stand in reply-code fields.
func replies(spec *specification) (codes []*constant) {
	for _, c := range spec.Constants {
		if c.Class != "" || strings.HasPrefix(c.Name, "reply-") {
			codes = append(codes, c)
		}
	}
	return codes
}

func replyName(c *constant) string { return camel(strings.TrimPrefix(c.Name, "reply-")) }

func writeReplyCodes(s *source, spec *specification) {
	s.line("// Reply codes. Hard says which of them end the connection.")
	s.line("const (")
	for _, c := range replies(spec) {
		s.line("%s ReplyCode = %d", replyName(c), c.Value)
	}
	s.line(")")
	s.line("// ReplyCodes lists every code, in ascending order.")
	s.line("func ReplyCodes() []ReplyCode {")
	s.line("return []ReplyCode{")
	for _, c := range replies(spec) {
		s.line("%s,", replyName(c))
	}
	s.line("}")
	s.line("}")
	s.line("func (c ReplyCode) name() string {")
	s.line("switch c {")
	for _, c := range replies(spec) {
		s.line("case %s: return %q", replyName(c), strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(c.Name, "reply-"), "-", "_")))
	}
	s.line("}")
	s.line(`return ""`)
	s.line("}")
	s.line("// Hard says that an error of this code ends the connection; others end the channel. A code that is in no table is hard.")
	s.line("func (c ReplyCode) Hard() bool {")
	s.line("switch c {")
	s.line("case")
	var soft []string
	for _, c := range replies(spec) {
		if c.Class != "hard-error" {
			soft = append(soft, replyName(c))
		}
	}
	s.line("%s:", strings.Join(soft, ","))
	s.line("return false")
	s.line("}")
	s.line("return true")
	s.line("}")
}
