// Package timeline draws one simulated world for people: a page with a lane for
// every node and client over simulated time, with faults, messages, what clients
// saw, and what was violated.
//
// It promises: (1) a page is one file that needs no network and opens from a disk;
// (2) its size is bounded, whatever the length of the trace: what is not shown event
// by event is counted, and the page says where that is so; (3) of a world that
// violated something, faults and the events of the records concerned are always among
// those shown; (4) the same trace and result give the same bytes.
//
// It asks of the caller: (a) the whole trace of the world, as trace.ReadAll gives it,
// and the result that the same process wrote, if it wrote one.
//
// It does not judge: violations are the result's, or those that the trace tells.
// It shows when a message was sent and what its fate was, not when it arrived.
//
//	[]trace.Event ─┬─ lanes     who there is
//	               ├─ spans     what lasted: faults, processes that were down or paused
//	               ├─ density   how many events in each slice of time
//	               └─ details   the events shown one by one ──→ Page ──→ Write: HTML
//
// Read page.go, then span.go and detail.go; page.html draws.
package timeline
