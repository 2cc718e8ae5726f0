package journal

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// segment is one file: batches, then the footer.
type segment struct {
	number   uint64
	payload  bool                // relocated payloads; not part of the log
	end      int64               // of the batches; of the active segment: where the next one goes
	rows     map[replicaID]*rows // in memory until the footer is written; nil: read the footer
	rowCount int
	groups   []group // of the footer, sorted
	footer   footerHead
	judged   judgement
	lost     bool // the file is gone
}

// judgement is what garbage collection last found.
type judgement struct {
	live  int64
	known bool
	skip  int // cycles until it is judged again
	wait  int
}

func (s *segment) String() string {
	kind := "log"
	if s.payload {
		kind = "payload"
	}
	state := "sealed"
	if s.rows != nil {
		state = "open"
	}
	return fmt.Sprintf("segment %d: %s, %s, %d bytes", s.number, kind, state, s.end)
}

// ids yields whose rows it holds, each once.
func (s *segment) ids() iter.Seq[replicaID] {
	return func(yield func(replicaID) bool) {
		if s.rows != nil {
			for id := range s.rows {
				if !yield(id) {
					return
				}
			}
			return
		}
		for i, g := range s.groups {
			if i > 0 && s.groups[i-1].id == g.id {
				continue
			}
			if !yield(g.id) {
				return
			}
		}
	}
}

// group finds a replica's entries or payloads in the footer's table.
func (s *segment) group(id replicaID, payloads bool) (group, bool) {
	at, found := slices.BinarySearchFunc(s.groups, group{id: id, payloads: payloads}, byGroup)
	if !found {
		return group{}, false
	}
	return s.groups[at], true
}

// groupsOf gives the groups of the footer that may have rows of an entry.
func (s *segment) groupsOf(id replicaID, index uint64) (gs []group) {
	for _, payloads := range []bool{false, true} {
		if g, ok := s.group(id, payloads); ok && g.min <= index && index <= g.max {
			gs = append(gs, g)
		}
	}
	return gs
}

// room bounds the footer's length were n rows added.
func (s *segment) room(n int) int64 { return footerRoom(s.rowCount+n, 2*len(s.rows)+2) }

const (
	segmentSuffix = ".seg"
	spareSuffix   = ".spare"
	reserveSuffix = ".reserve"
)

func segmentName(number uint64) string { return fmt.Sprintf("%016x%s", number, segmentSuffix) }

func parseSegmentName(name string) (number uint64, ok bool) {
	hex, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	number, err := strconv.ParseUint(hex, 16, 64)
	return number, err == nil && number > 0
}
