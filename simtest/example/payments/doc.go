// Package payments is an example of a program that consumes from tallymq and is
// tested with package tallysim: it posts payments of a topic to a ledger, each exactly
// once in its effect.
//
// It promises: (1) Consume posts every payment of the topic, once, whatever dies or is
// cut off meanwhile; (2) it hands the group's offsets on only after the payments below
// them are posted.
//
// It asks of the caller: (a) a Database whose transactions are all or nothing; (b) payments
// with an id of their own, the same when they are sent again.
//
// It does not read anything from the simulator: only its tests do. Three ways to do it
// wrong, which many first versions of such a consumer have, are in wrong_test.go, and
// the tests show that the simulator finds them.
//
//	poll ─▶ one transaction: is the id new? then post and remember the id ─▶ commit offsets
//
// Read consume.go, then world_test.go: the test of it.
package payments
