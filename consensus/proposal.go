package consensus

import "context"

// Proposal is one command on its way. The host owns it, but not the byte slices, from Propose until Done.
type Proposal struct {
	// Ctx bounds the waiting. When it ends before the outcome is known, Done gets ErrUnknownOutcome (the command may still be
	// applied), or ErrNotApplied if the command was still waiting for room. nil: for ever.
	Ctx   context.Context
	Shard uint64
	// Term > 0: only valid while this term leads; apply refuses it afterwards with ErrStaleTerm. 0: at any time.
	Term uint64
	// Head and Payload form the command. They are copied before Propose returns and may be reused then.
	Head, Payload []byte
	// Done is called exactly once, from any goroutine (also from inside Propose), and must not block.
	Done func(result []byte, err error)
}
