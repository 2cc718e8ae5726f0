// Package tallysim tests a user's own consumers and producers against a simulated
// tallymq cluster: real brokers, the user's real code and a real Kafka client, in a
// world in which one seed decides schedules, network, disks, faults and chance.
//
//	func TestEveryPaymentIsPostedOnce(t *testing.T) {
//		tallysim.Run(t, func(c *tallysim.Cluster) {
//			c.Topic("payments", 3)
//			db := c.Store("ledger")
//			c.Go("consumer", func(p *tallysim.Process) error {
//				return myapp.Consume(p.Context(), db, p.KafkaOptions()...)
//			})
//			c.Faults(tallysim.Everything)
//			c.Produce(&kgo.Record{Topic: "payments", Value: []byte("p1 alice 5")})
//			c.Eventually("every payment is posted once", time.Minute, func() error { return myapp.Audit(db) })
//		})
//	}
//
//	go test -overlay=$(tallymq sim overlay) ./...
//
// The name: what a user's test reads is tallysim.Run, tallysim.Cluster; it says whose
// simulator it is, and does not collide with a package simtest or cluster of theirs.
//
// It promises: (1) Run runs the body once per seed, each in a process of its own, and
// the first seed twice: it fails when the two runs differ, since then no failure could
// be repeated; (2) a process of Go is killed, loses power, is paused or cut off, and is
// started again, with what its Disk had synced and with every Store; (3) a seed that
// fails says which assertion did not hold, the command that repeats it, the plan of
// faults, what became of each process, and the last events; (4) in a binary built
// without the overlay Run fails and says how to build it; it neither passes nor skips.
//
// It asks of the caller: (a) the code under test reaches the network by Process.Dial
// (which KafkaOptions holds), files by Process.Disk, and other services by Go values
// made in the body; plain time, goroutines, maps, select, context and math/rand are
// all right; (b) a value shared by body and processes never blocks (sleep, channel,
// network) while it holds a lock: a killed process would hold it for ever; (c) that
// code starts no goroutine from init or a package variable; (d) one Run or Find per
// test function.
//
// It does not find data races (goroutines take turns), does not run AMQP clients (the
// broker does not speak it; Process.Dial is where such a client will plug in), and does
// not check what a test does not assert.
//
//	body ── Topic, Produce (a harness that no fault hits)
//	  ├──── Go("consumer", main) ─▶ Process: KafkaOptions, Dial, Disk    killed, restarted
//	  ├──── Store("ledger")         a database that survives every process
//	  ├──── Faults(Everything)      the plan, drawn from the seed, in the background
//	  └──── Check (always), Eventually (after the faults)
//
// Environment: TALLYMQ_SIM_SEED=7 runs that seed alone, in this process;
// TALLYMQ_SIM_SEEDS=1..500 other seeds than 1..10; of one world TALLYMQ_SIM_TRACE=file
// writes every event, TALLYMQ_SIM_LOG=file what the brokers log, and
// TALLYMQ_SIM_PLAN=file replaces the plan.
//
// Read run.go, then cluster.go; ../example/payments is a whole example.
package tallysim
