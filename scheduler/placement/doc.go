// Package placement decides where a waiting slot may go, in which order services
// are asked for it, and why none takes it. All of it is pure: what is known comes
// as arguments, no store is asked, no clock read, no goroutine started.
//
// # From slot to requests
//
//	filter.go    which classes take streams of this key
//	select.go    of these, those on hosts that its item means
//	needs.go     of these, those all of whose variables are published
//	rank.go      who asked for the stream comes first, who prefers others last; then
//	near.go      the nearer to its targets: their hosts, their sites, their regions
//	spread.go    those with fewer of its siblings
//	with.go      of a sidecar, the host of its target alone
//	host.go      the one host that it may go to: whose it is, a pin, a planned move
//	known.go     nothing that one before it was refused
//	requests.go  so many candidates at a time
//
// A candidate is a class, or one host of it, with its rank; within a rank the least
// loaded host gets the slot, then the name decides.
//
// Class by class, since services of one class are interchangeable: the cost is
// that of the classes and not of the hosts. Which host of a class gets the slot,
// the script place finds by load, in the step in which it gives it.
//
// # Why it waits
//
// explain.go asks the same policies in the same order about services of hosts,
// the first that leaves none says why. Room, which only the store knows for
// sure, comes last (room.go, with the hosts that are avoided in avoid.go).
//
// A policy is a file: its decision, and beside it its explanation. A new one
// narrows candidates in Candidates or orders them there, and takes its place
// in Explain; its code gets a sentence in stream/reasons.go and a row in
// docs/reasons.md.
package placement
