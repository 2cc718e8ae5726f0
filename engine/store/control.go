package store

import "encoding/binary"

// control is the one row that makes a replica's rows live. It is written in the same batch as the rows it speaks of.
//
//	version 1 | generation 4 | applied 8 | meta
type control struct {
	generation generation
	applied    uint64
	meta       []byte
}

const (
	controlVersion     = 1
	controlHeaderBytes = 1 + 4 + 8
)

func (c control) size() int { return controlHeaderBytes + len(c.meta) }

func (c control) put(dst []byte) {
	dst[0] = controlVersion
	binary.BigEndian.PutUint32(dst[1:5], uint32(c.generation))
	binary.BigEndian.PutUint64(dst[5:controlHeaderBytes], c.applied)
	copy(dst[controlHeaderBytes:], c.meta)
}

// parseControl reads a control row; meta points into v.
func parseControl(v []byte) (control, bool) {
	if len(v) < controlHeaderBytes || v[0] != controlVersion {
		return control{}, false
	}
	c := control{
		generation: generation(binary.BigEndian.Uint32(v[1:5])),
		applied:    binary.BigEndian.Uint64(v[5:controlHeaderBytes]),
		meta:       v[controlHeaderBytes:],
	}
	return c, c.generation > 0 && c.generation <= generationMax && len(c.meta) <= metaBytesMax
}
