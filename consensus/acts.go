package consensus

import (
	"time"

	"github.com/tallymq/tallymq/internal/point"
)

// Where the simulator may have this package do what may happen anyway (internal/point, Act).
var (
	actEntrySealedEarly   = point.NewAct("consensus/entry-sealed-early")   // an entry takes no more commands though there is room
	actProposerWaits      = point.NewAct("consensus/proposer-waits")       // the loop is late: commands gather, a term may end before its leader-start
	actEntryLost          = point.NewAct("consensus/entry-lost")           // Raft drops an entry, perhaps not the one behind it
	actEntrySentAgain     = point.NewAct("consensus/entry-sent-twice")     // everything in flight is sent again though nothing says that it was lost
	actApplyLate          = point.NewAct("consensus/apply-late")           // committed entries wait for the apply worker
	actSnapshotEarly      = point.NewAct("consensus/snapshot-early")       // a snapshot is asked for long before it is due
	actPullBreaks         = point.NewAct("consensus/pull-breaks")          // a pull of payloads is given up for now
	actBarrierFails       = point.NewAct("consensus/barrier-fails")        // an attempt at a read index is dropped
	actReplyLost          = point.NewAct("consensus/reply-lost")           // a call was answered, and its answer is lost
	actForwardBreaks      = point.NewAct("consensus/forward-breaks")       // a stream breaks with commands on it
	actLeadershipToldLate = point.NewAct("consensus/leadership-told-late") // the owner hears late who leads
)

// The longest that an act lets anybody wait: below an election's time, so that most terms survive it.
const (
	actWaitShort = 20 * time.Millisecond
	actWaitLong  = 300 * time.Millisecond
)
