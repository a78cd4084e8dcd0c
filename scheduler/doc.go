// Package scheduler decides what should be and makes the store agree: which
// source a stream uses, which slots are wanted, which host gets each, what is
// sent again or taken back, whose slots are reaped, what moves.
//
// # Why any number of schedulers is safe
//
// A scheduler holds no truth. It reads, decides, and asks the store for one
// atomic step that verifies by itself what the decision rests on: a want counts
// only under the mark it was read after, a place only while the slot is
// pending and the host has room, a successor leads only under both tokens. Two schedulers
// that decide the same at once, or one that dies between two steps, leave
// nothing half done: whatever is due is due again, for whoever looks next. A
// few seats keep the number of busy ones small, for the sake of cost alone.
//
// # Why a slot never gets what one before it was refused
//
// A pass walks the queue of a type from the top, which is by priority, then
// age. Requests go to the store in batches that are one transaction each, so
// that no room becomes free between two of them; a class that was found full
// stays full for the rest of the pass. Room that becomes free meanwhile is for
// the next pass, which begins at the top.
//
// # Decisions and loops
//
// Decisions are pure functions in files of their own: source.go (which source),
// wanted.go (what is wanted), handover.go (the next step of a move), and package
// placement (where a slot may go and why it waits; placing.go says to it what the
// store knows). The loops around them:
//
//	dirty    marked streams: want them
//	place    passes over queues; each Net over all, writing down reasons
//	outbox   sends starts, takes back what nobody took up
//	moves    planned moves and drains
//	requeue  marks streams whose time has come, watches sources
//	reap     a tick each 500 ms
//	upkeep   re-index, paused queues, what is forgotten
//
// Each is woken by the store's hints and looks by itself at least once a
// second, so that losing every hint costs a second. While the store does not
// answer each loop tries again within a beat; one line says so and one line
// says that it is over.
//
// # Goroutines
//
// Run has one for each loop, one that listens to the store's hints and the one
// of the store behind it, one that sends stops and updates, one that has events
// read while this scheduler heeds hints, and up to eight short-lived ones while
// commands are sent. All of them end with Run's context
// and when the seat is lost; Run returns after the last.
package scheduler
