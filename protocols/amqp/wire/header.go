package wire

import "fmt"

// PropertyFlags say which properties a message has.
type PropertyFlags uint16

// ContentHeader is what comes between a method with content and its body. Only the basic class has contents.
type ContentHeader struct {
	BodyBytes  uint64 // of all body frames together
	Properties Properties
}

func (h *ContentHeader) String() string {
	t := text{}
	t.WriteString("content")
	t.big("body-bytes", h.BodyBytes)
	h.Properties.print(&t)
	return t.String()
}

// AppendTo appends the payload of the header's frame.
func (h *ContentHeader) AppendTo(to []byte) []byte {
	to = appendShort(to, uint16(ClassBasic))
	to = appendShort(to, 0) // weight: of no use, always 0
	to = appendLongLong(to, h.BodyBytes)
	to = appendShort(to, uint16(h.Properties.Flags&propertyFlagsKnown))
	return h.Properties.appendList(to)
}

// DecodeHeader decodes the payload of a header's frame into h, whose strings are kept where they did not change. method
// is whose content it is, for the error. A header of another class is UNEXPECTED_FRAME, one that cannot be read
// FRAME_ERROR.
func DecodeHeader(payload []byte, method MethodID, h *ContentHeader) error {
	r := reader{in: payload}
	class := ClassID(r.short("class"))
	weight := r.short("weight")
	h.BodyBytes = r.longLong("body-size")
	h.Properties.Flags = PropertyFlags(r.short("flags"))
	switch {
	case r.failed():
		return Errorf(FrameError, method, "a content header with %d octets", len(payload))
	case class != ClassBasic:
		return Errorf(UnexpectedFrame, method, "expected content header for class %d, got one for class %d instead", ClassBasic, class)
	case weight != 0:
		return Errorf(UnexpectedFrame, method, "a content header of weight %d", weight)
	case h.Properties.Flags&^propertyFlagsKnown != 0:
		return Errorf(FrameError, method, "unknown property flags %#x", uint16(h.Properties.Flags&^propertyFlagsKnown))
	}
	h.Properties.decode(&r)
	if len(r.in) > 0 {
		r.fail("properties", fmt.Sprintf("has %d octets too many", len(r.in)))
	}
	if r.failed() {
		return Errorf(FrameError, method, "cannot decode the content header: %s %s", r.what, r.why)
	}
	return nil
}

// AppendTo appends the properties as a content header has them: flags, then values.
func (p *Properties) AppendTo(to []byte) []byte {
	to = appendShort(to, uint16(p.Flags&propertyFlagsKnown))
	return p.appendList(to)
}

// DecodeProperties is the other way round. The table of headers points to in.
func DecodeProperties(in []byte, p *Properties) error {
	r := reader{in: in}
	p.Flags = PropertyFlags(r.short("flags"))
	p.decode(&r)
	if len(r.in) > 0 || p.Flags&^propertyFlagsKnown != 0 {
		r.fail("properties", "has octets too many")
	}
	if r.failed() {
		return Errorf(FrameError, 0, "cannot decode properties: %s %s", r.what, r.why)
	}
	return nil
}
