// Package transaction is the state machine of all transactional ids of one shard, and of what concerns both them and the
// partitions and groups of the same shard.
//
// The rules are those of packages txn/coordinator and txn/participant; this one reads them from commands, keeps their rows
// and joins them: what a command decides about participants that live on this shard is done in the same apply. So a
// transaction whose participants all live here is committed by one log entry.
//
// It promises: (1) Apply is a function of the machine, the participants, the Context and the command alone; (2) a decision,
// its closing of the participants that are here, and their acknowledgement are one apply; so are a new participant and its
// grant, if it is here; (3) what is not here stays owed until an acknowledgement is applied; (4) Load gives a machine equal
// to the one that wrote the rows.
//
// It asks the caller: (a) apply in log order, and commit the writer's rows with the applied index, all or nothing;
// (b) give Participants that are those of the same shard at the same place of its log; (c) deliver what is owed
// (Undelivered) to other shards as TxnDecide, and tell the outcome as TxnAcknowledge; (d) hold a lock against readers.
//
// It does not know which shard has what, send, or wait.
//
//	TxnInit, TxnEnd, TxnExpire, TxnAbort ──► coordinator ──► decision ──► close what is here ──► acknowledged
//	                                                            └───────► owed: rim ──► TxnDecide on another shard
//	TxnAdd ──► coordinator ──► grant what is here;  the rest in the result ──► TxnGrant on another shard
//
// Read machine.go first, then testdata/one_shard.txt.
package transaction
