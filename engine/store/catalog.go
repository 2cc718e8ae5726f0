package store

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// liveRows is one control row: a replica and the generation that holds its rows.
type liveRows struct {
	id ID
	control
}

// controls reads all control rows, without their meta, in order of shard and replica.
func (s *Store) controls() ([]liveRows, error) { return s.readControls(nil) }

func (s *Store) readControls(o *pebble.IterOptions) (live []liveRows, err error) {
	var options pebble.IterOptions
	if o != nil {
		options = *o
	}
	options.LowerBound, options.UpperBound = []byte{kindControl}, []byte{kindControl + 1}
	it, err := s.db.NewIter(&options)
	if err != nil {
		return nil, s.rowError("read control rows", err)
	}
	defer func() { err = errors.Join(err, s.rowError("read control rows", it.Close())) }()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, s.rowError("read control rows", err)
		}
		id, ok := parseControlKey(it.Key())
		if !ok {
			return nil, s.corruptRow("control row with key %x", it.Key())
		}
		c, ok := parseControl(v)
		if !ok {
			return nil, s.corruptRow("control row of %s with %d bytes", id, len(v))
		}
		c.meta = nil
		live = append(live, liveRows{id: id, control: c})
	}
	return live, s.rowError("read control rows", it.Error())
}

// generations lists the generations that have rows, by one seek each.
func (s *Store) generations() (found []generation, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindRow}, UpperBound: []byte{kindRow + 1}})
	if err != nil {
		return nil, s.rowError("look for generations", err)
	}
	defer func() { err = errors.Join(err, s.rowError("look for generations", it.Close())) }()
	for ok := it.First(); ok; {
		g, isRow := generationOf(it.Key())
		if !isRow {
			return nil, s.corruptRow("row with key %x", it.Key())
		}
		found = append(found, g)
		ok = it.SeekGE(appendLow(nil, g+1, nil))
	}
	return found, s.rowError("look for generations", it.Error())
}
