// Package group is consumer groups: what is replicated of them, and the coordinator that runs Kafka's classic protocol.
//
// It has two machines. Machine is applied state: on every replica the same, it holds the groups as they were last stored
// and their committed offsets. Coordinator is volatile and lives on the shard's leader: it takes requests and the passing
// of time, and answers with effects, of which Store is the one that changes the Machine.
//
// It promises: (1) both are functions of what they are given: no clock, no randomness, no goroutine; (2) a request given
// to Step is answered by exactly one Reply, at once or by a later Step; (3) a generation's number is stored before
// anyone is told of it, and assignments before anyone gets one, so that a coordinator that takes over never gives a
// number twice and finds every member that was answered in its place; (4) an OffsetCommit is fenced in apply by member,
// instance and generation: a member of an older generation cannot commit once a newer one is stored; (5) a coordinator
// that was superseded cannot store: GroupStore names the version it replaces; (6) nothing expires while it is wanted.
//
// It asks the caller: (a) propose a Store at once and report Stored, whatever becomes of it; an unknown outcome is a
// failure, and then Load what is applied after a read index; (b) Load all of Machine.Groups before the first request of
// a leadership, and Close at its end; (c) Tick at NextDeadline, after the requests that wait already; (d) tell Deleted
// for each group that Apply names as dropped.
//
// It does not route, resolve topics, read a catalog or know Kafka's wire.
//
//	requests, ticks ──▶ Coordinator.Step ──▶ Reply ──▶ clients
//	                        ▲        └─────▶ Store ──▶ propose GroupStore ──▶ Machine.Apply ──▶ rows
//	                        └───────────── Stored ◀────────────────────────────────┘
//
// Read group.go first, then testdata/scenarios/join_two_members.txt.
package group
