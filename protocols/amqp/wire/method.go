package wire

import "fmt"

// ClassID is the number of a class of methods.
type ClassID uint16

// MethodID is the number of a method: its class in the upper, its own number in the lower 16 bits.
type MethodID uint32

// traits are what the specification says about a method.
type traits struct {
	name                 string
	content, synchronous bool
	toServer, toClient   bool
}

// Class is the method's class.
func (id MethodID) Class() ClassID { return ClassID(id >> 16) }

// Number is the method's number within its class.
func (id MethodID) Number() uint16 { return uint16(id) }

// String is the method's name, for example queue.declare-ok.
func (id MethodID) String() string {
	if t, ok := id.traits(); ok {
		return t.name
	}
	return fmt.Sprintf("method-%d.%d", id.Class(), id.Number())
}

// HasContent says that a content header, and bodies, follow.
func (id MethodID) HasContent() bool { t, _ := id.traits(); return t.content }

// Synchronous says that the sender waits for an answer, or that it is one.
func (id MethodID) Synchronous() bool { t, _ := id.traits(); return t.synchronous }

// ToServer says that clients send the method.
func (id MethodID) ToServer() bool { t, _ := id.traits(); return t.toServer }

// ToClient says that the server sends the method.
func (id MethodID) ToClient() bool { t, _ := id.traits(); return t.toClient }

// Method is one method with its arguments. All implementations are generated.
type Method interface {
	ID() MethodID
	// AppendArguments appends the arguments as they are on the wire.
	AppendArguments(to []byte) []byte
	// String is for people: name and arguments, without secrets.
	String() string

	decode(r *reader)
}

// AppendMethod appends the payload of a method's frame.
func AppendMethod(to []byte, m Method) []byte {
	return m.AppendArguments(appendLong(to, uint32(m.ID())))
}

// DecodeMethod decodes the payload of a method's frame. With a scratch, methods that come in streams are decoded into it.
// A payload that is not exactly a method is FRAME_ERROR, as RabbitMQ says; a method that does not exist is NOT_IMPLEMENTED.
func DecodeMethod(payload []byte, scratch *Scratch) (Method, error) {
	var r *reader
	if scratch != nil {
		r = &scratch.reader
	} else {
		r = new(reader)
	}
	*r = reader{in: payload}
	id := MethodID(r.long("method"))
	if r.failed() {
		return nil, Errorf(FrameError, 0, "a method's frame with %d octets", len(payload))
	}
	m := newMethod(id, scratch)
	if m == nil {
		return nil, Errorf(NotImplemented, id, "no method has class %d and number %d", id.Class(), id.Number())
	}
	m.decode(r)
	if len(r.in) > 0 {
		r.fail("arguments", fmt.Sprintf("has %d octets too many", len(r.in)))
	}
	if r.failed() {
		return nil, Errorf(FrameError, id, "cannot decode: %s %s", r.what, r.why)
	}
	return m, nil
}
