package simtest

import (
	"encoding/binary"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// readRequest reads one Kafka request: length, header, body.
func readRequest(c net.Conn) (kmsg.Request, int32, error) {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, 0, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, body); err != nil {
		return nil, 0, err
	}
	r := kbin.Reader{Src: body}
	req := kmsg.RequestForKey(r.Int16())
	req.SetVersion(r.Int16())
	id := r.Int32()
	r.NullableString() // client id
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	return req, id, req.ReadFrom(r.Src)
}

// writeResponse writes length, header and body.
func writeResponse(c net.Conn, id int32, resp kmsg.Response) error {
	out := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(id))
	if resp.IsFlexible() && resp.Key() != 18 {
		out = append(out, 0)
	}
	out = resp.AppendTo(out)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	_, err := c.Write(out)
	return err
}
