// Package catalog is what every node must agree on: who is in the cluster, which topics there are, which shard holds each
// partition and each coordinator slot, on which nodes the replicas of each shard are, and the exchanges, queues and bindings of
// each virtual host.
//
// It promises: (1) Apply is a function of state and command; (2) every change raises the version by one, a refusal
// changes nothing; (3) a View is never changed and cheap to make: what did not change is shared; (4) a producer id, a
// replica id of a shard and the id of a removed node are never given twice; (5) Plan, followed step by step, brings every
// shard to its replicas, with at most one membership change of a shard under way, and never takes out a replica unless a
// majority of the others is alive, whole and undamaged.
//
// It asks the caller: (a) apply commands in log order; (b) validate a topic with CheckTopicName, ValidateConfigs,
// CheckReplicationFactor and Spread before proposing TopicCreate: those say why, Apply only refuses what would break the
// state; (c) give each new topic a random id; (d) judge
// an exchange, queue or binding by package routing before proposing it.
//
// A deleted topic is simply absent: a shard's leader compares PartitionsOf with what it has, with a view that is not
// older than what it had. It does not route, wait, or know what a partition holds.
//
//	command ──▶ Machine.Apply ──▶ View n+1 ──▶ caches (Feed: differences)    View + facts ──▶ Plan ──▶ steps
//
// Read view.go first, then apply.go, plan.go and testdata.
package catalog
