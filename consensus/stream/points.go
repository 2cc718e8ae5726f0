package stream

import "github.com/tallymq/tallymq/internal/point"

// The rare places of this package (internal/point); docs/SIMULATOR.md lists those that no world reaches.
var (
	atOpenAgain       = point.New("stream/open-again")       // an open came twice
	atOpenRefused     = point.New("stream/open-refused")     // somebody opened the stream since the opener looked
	atStartIgnored    = point.New("stream/start-ignored")    // a leader-start of a term that began already, or is past
	atSuperseded      = point.New("stream/superseded")       // an entry of an incarnation that was replaced
	atGap             = point.New("stream/gap")              // an entry whose predecessor was not applied
	atDuplicate       = point.New("stream/duplicate")        // an entry all of whose commands were applied before
	atSenderReplaced  = point.New("stream/sender-replaced")  // another incarnation of this node opened the stream
	atGapSeen         = point.New("stream/gap-seen")         // the sender learns of a gap and sends again
	atOpenFailed      = point.New("stream/open-failed")      // the sender learns that its open was refused
	atInstalledOpen   = point.New("stream/installed-open")   // a snapshot jumped over verdicts of the present incarnation
	atInstalledOther  = point.New("stream/installed-other")  // a snapshot shows another incarnation
	atInstalledOpened = point.New("stream/installed-opened") // a snapshot shows that an open in flight was applied
	atInstalledClosed = point.New("stream/installed-closed") // a snapshot arrives while the stream is closed
)
