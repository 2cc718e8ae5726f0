package journal

// indexer makes the rows of one sealed segment from its batches, as the committer made them when it wrote.
type indexer struct {
	segment uint64
	rows    map[replicaID]*rows
	count   int
	commits map[replicaID]uint64                        // as far as known at this place; may be nil
	stale   func(id replicaID, index, term uint64) bool // a restated entry that was overwritten before
	hole    func(*found)
}

// index reads all batches below end.
func (j *Journal) index(x *indexer, end int64) error {
	sc, done, err := j.scanner(x.segment, end)
	if err != nil {
		return err
	}
	defer done()
	_, err = sc.scan(0, func(f *found) error {
		if f.hole > 0 {
			j.log.Error("journal: a durable batch is unreadable", "segment", x.segment, "offset", f.offset, "bytes", f.hole)
			if f.offset > 0 {
				for id, s := range x.rows {
					if commit, ok := x.commits[id]; ok {
						s.cut(commit + 1)
					}
				}
			}
			x.hole(f)
			return nil
		}
		for i := range f.records {
			if rec := &f.records[i]; x.add(rec) && rec.bad {
				j.damage.found(rec, false)
			}
		}
		return nil
	})
	return err
}

func (x *indexer) of(id replicaID) *rows {
	if x.rows[id] == nil {
		x.rows[id] = &rows{}
	}
	return x.rows[id]
}

// add says whether the record has a row.
func (x *indexer) add(rec *record) bool {
	switch rec.kind {
	case kindHeadReplica, kindState:
		if x.commits != nil && !rec.bad && len(rec.body) >= stateBytes {
			x.commits[rec.id] = le.Uint64(rec.body[16:])
		}
		return false
	case kindReset, kindImport:
		x.of(rec.id).cut(rec.index + 1)
		return false
	case kindForget:
		delete(x.rows, rec.id)
		return false
	case kindEntry:
		x.of(rec.id).append(rowOf(rec))
	case kindPayload:
		x.of(rec.id).addPayload(rowOf(rec))
	case kindRestate:
		w, ok := x.of(rec.id).entry(rec.index)
		if ok && w.term > rec.term || !ok && x.stale != nil && x.stale(rec.id, rec.index, rec.term) {
			return false
		}
		x.of(rec.id).restate(rowOf(rec))
	default:
		return false
	}
	x.count++
	return true
}
