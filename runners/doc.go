// Package runners is a host's part: one Runner a process keeps the host's
// lease, claims what was placed on it, runs each claimed slot under a
// supervisor of its own, publishes its variables, and gives it back. It
// obeys the store alone and knows no scheduler.
//
// # One token, one life
//
// The package's one rule is that nothing lives twice. It rests on these
// points; each is argued for children, not for records.
//
//   - A token is claimed before anything starts, and only the host and the
//     life of it (the incarnation) that the store names may claim it.
//   - Under a token at most one supervisor ever gets a Go. The holding of a
//     token is in one map entry with one goroutine; a second order to start
//     finds the first. Once a Go was given, the end of that supervisor is
//     the end of the token: it is released, never started again, not even by
//     the life that started it. (A supervisor that got no Go, or refused it,
//     ran nothing; after it is gone another may be tried.)
//   - Before a release is sent its token is written to the tombstones. From
//     then on this host never starts it, so it does not matter whether the
//     release was lost, is late, or arrives after the store was set back.
//   - A release is sent only when nothing of the tree is left and post_stop
//     has run: the supervisor said so, or it is dead and what it left was
//     found and killed.
//   - What the store says runs here and of which nothing lives here is given
//     back and placed anew under another token. It is never restarted under
//     the old one, as some release of it may still be on its way.
//
// # The life of a holding
//
// A holding is one token on this host. It walks through stations, each a file of
// the station's name with what it has to remember at its top.
//
//	start command, or listed        memo of an earlier life
//	by the store                      │
//	  │                             rejoin (adopt.go) ─ not started, ─┐
//	  ▼                               │          host renamed         │
//	claim ◀─ the lease changed ─┐     │                               │
//	  │ ok                      │     │                               │
//	  ▼                         │     │                               │
//	start ──────────────────────┘     │                               │
//	  │ Go                            │                               │
//	  ▼                               ▼                               │
//	serve ◀───────────────────────────┘                               │
//	  │ ┌───────────────────────────────────────────────────┐         │
//	  │ │ ready    up, then published to the others         │         │
//	  │ │ fail     exits, the pace of retries, giving up    │         │
//	  │ │ update   the stream changed; a restart was asked  │         │
//	  │ └───────────────────────────────────────────────────┘         │
//	  │ unwanted, moved, gives up, leaves                             │
//	  ▼                                                               │
//	stop ◀────────────────────────────────────────────────────────────┘
//	  │ the whole tree ended, post_stop has run
//	  ▼
//	release     tombstone, its end, then the store
//
// Claim goes to release when the store says stale, start when the slot is unwanted
// or cannot start here and could elsewhere; rejoin and serve when the supervisor
// was killed, whose tree is finished off there.
//
//	station  does                                        a concern that belongs here
//	claim    asks the store, confirms, asserts           in which term the slot is ours
//	start    place, values, memo, supervisor, Go         what must be there before a child is
//	ready    says that it is up; publishes               when others may build on it
//	serve    events, wishes, the connection (line.go)    what is to be looked at while it runs
//	fail     reasons, pace, elsewhere                    what failing often leads to
//	update   weighs what changed, restarts, stale        what a change does to what runs
//	stop     stop signal, KILL, finishing off            what must end before it is given back
//	release  tombstone, release, over and over           what the store is told of an end
//
// What serve does besides for what comes after: items.go, and ends.go at the release.
//
// What all of them use: wishes.go (what others want of it), report.go (what the
// store is told), memo.go (what the next life must know), names.go (what it is
// called). What a child is belongs to package plan, and no station knows it.
//
// # Trust
//
// The store counts the lease from when it takes a beat in; this host from
// before it sent the beat, less a margin of 1 s + ttl/10, on a clock that
// counts suspend. So it stops trusting the lease before the store does. In
// either mode a Go lasts no longer than this trust. It counts only if the slot
// was claimed in the present term of the lease; each registration begins a term.
//
// A child's deadline is fed as its service's on_store_loss says:
//
//   - stop: the trust, and only in a term in which the store confirmed the
//     slot. Without the store the child ends before anybody else could get
//     its slot.
//   - keep: the trust, and while the store does not answer, now + ttl −
//     margin at each missed beat (not before half of the trust is used up).
//     While the store is down nobody is placed anywhere, and after it a hold
//     lets everybody speak first. The gap, told honestly: a host that is cut
//     off from a store that others reach runs what they are given too, until
//     it is connected again; then it asserts, and ends at once what it lost.
//
// A supervisor hears only who has the slot's key, which lies in its memo, and
// takes no deadline further ahead than the ttl. A life that cannot read the
// memo has the supervisor stop by a signal, and feeds it no more.
//
// A supervisor refuses a deadline that comes after its own has passed. So a
// runner that was frozen finds its children dead and never revives one.
//
// # A new life
//
// It locks the state directory, finds each slot's memo, connects to the
// supervisors that live, and registers as the successor of the life before.
// If the store does not answer within half a second it feeds those of mode
// keep at once. Registered, it looks: what the store confirms goes on untouched; what it does not list is
// asserted, and kept or ended as it answers; of what has no living
// supervisor the tree is finished off and the slot given back.
//
// A store that was set back knows an earlier life of this host, and is told of
// this one. Of two lives of one state directory (a copied disk, say) the later
// keeps the host; the earlier ends its children and returns ErrReplaced.
//
// # Jobs
//
// A job (job.go) walks the same way. What it is to know is in its own record, its
// supervisor starts nothing after it is done, and it is released with how it was. What a
// supervisor wrote down is read at the release, so that it counts whichever life sends it.
//
// An end after which jobs come, and the end of a job that is done, is a line in the ends
// (ends.go) before its release is sent. After each registration, and after a release that
// the store did not take, the host asks which of the jobs after its ends the store ever
// made, and tells it the ends it does not know; what is done first. Items (items.go) are
// told in the same way while their child runs: the store knows what it made, and is asked.
//
// # Reconcile
//
// Commands from the queue are hints for speed, read when this host is woken for
// them. The truth is what the store
// lists for this host; reconcile, a pure function, compares it with what is
// here, token by token, whenever the revision in a beat's answer is another,
// after an outage or a registration, on a hint, and every 30 s. What is here
// is written down before the store is read, so that nobody is called missing
// who came meanwhile.
//
// # Goroutines
//
// The heart renews the lease and nothing else. The watch looks. Each holding
// has one that walks through its life and, while a supervisor is connected,
// one that feeds it, so that no slow call keeps a deadline back. One reads
// the queue's start commands (and those of package queue behind it). All of
// them end with Run, which returns after the last: the heart and the feeders
// when the others have, so that no start and no call that still ends leaves a
// child unfed. The supervisors are processes and outlive it.
package runners
