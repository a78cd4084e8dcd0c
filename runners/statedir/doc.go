// Package statedir is the place of one runner on this machine: what of it outlives
// the process.
//
//	<state_dir>/lock          held for as long as the runner lives
//	            host_id       tells this place from another one under the same host name
//	            incarnation   the last life that registered
//	            tombstones    tokens that never start again here
//	            s/<16 digits>.json   the memo of a slot, for the next life
//	            s/<16 digits>/       the directory of its supervisor, with its log
//
// The digits are made of the slot's token, so that the path is short whatever
// things are called: sockets lie below it. Slots are told apart by their tokens
// alone; a name stands only inside of a memo.
//
// Anything may lie here in place of our files: a hand, a script, a broken disk put
// it there. It is opened without following links and without blocking, and only as
// a regular file; what does not read costs that one slot, or one memory, and never
// the host.
package statedir
