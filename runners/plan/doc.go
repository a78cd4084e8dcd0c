// Package plan says what a child is, once: how the file describes it, what its
// templates may use, what comes of them, and what a change of either means for the
// child that runs.
//
//	Service    what this host offers for one type; the file is decoded into it
//	Exec       its program: templates, and rules that need no filling in
//	Subject    whom a child is for, and at which place it runs
//	Values     what the store knows of the stream
//
//	Exec.Resolve(Subject, Values)   → supervisor.Exec, which a supervisor is given as it is
//	Service.Weigh(what runs, Values before and now) → Change: stays, stale, restarts
//	Service.Try                      the same for a person who runs it by hand
//
// Nothing here asks a store or starts anything. A number for a child (how it is
// stopped, how often it is restarted) is a field of supervisor.Rules with the tags
// of the file on it: it needs no line here, nor on the way.
package plan
