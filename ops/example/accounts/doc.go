// Command accounts is an example of competing consumers that keep the order of each account: a queue with x-ordering-key.
//
//	movements ──▶ 8 workers
//
// Each account's movements are numbered. Workers take them, give some back (nack, reject), and drop their connections now and then; with -bin the
// three nodes that the example starts are killed as well, one or all of them. A worker enters a movement in the books under the fence
// that its delivery carries, so that one who lost a movement without knowing it (its node was killed, it was stopped for long) is refused.
//
// It promises its reader: no movement of an account is delivered before the one in front of it was acknowledged, none is skipped that was
// confirmed, and none comes twice without being marked as redelivered; or it says what is wrong and exits with 1.
package main
