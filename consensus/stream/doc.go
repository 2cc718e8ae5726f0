// Package stream decides which commands of an ordered log are applied: each node's commands once, in their order, with
// no gap, whatever happened to the entries between the node and the log.
//
// It promises: (1) State.Apply is a function of the state and the entry alone; (2) per node and incarnation, the
// commands accepted are numbered 1, 2, 3… with no gap and no repetition; (3) the incarnation of a node's stream, the
// leader term and the clock never fall; (4) after a newer incarnation was opened, nothing of an older one is accepted;
// (5) a Sender that is told every verdict on its own entries sends again exactly what was refused, and says of every
// command once whether it was applied, or that nobody can know. It asks the caller: (a) apply entries in log order;
// (b) store AppendMeta atomically with what the accepted commands did; (c) hand the Sender only verdicts on entries
// of its own node, in log order. It does not persist, send, wait or know the time.
//
//	node a: open → incarnation 3: [1 2][3][4 5 6] ──┐ dropped, doubled,        ┌─ applied | duplicate | gap
//	node b: open → incarnation 1: [1][2 3]       ───┤ reordered on the way ──→ log → State.Apply → superseded
//	leader: leader-start(term)                   ───┘                          └─ gap → Sender → again from there
//
// Read entry.go, then state.go, then testdata/dropped_and_doubled.txt.
package stream
