// Package store is the only owner of the keys in Redis. Each operation that
// changes something is one Lua script (package lua) and one Go file of the same
// name; Redis runs scripts one after another, so every step is whole or not at
// all. Reads are plain commands, and nothing is decided by a read alone: the
// script that acts on it checks again.
//
// # Who is authoritative
//
// Redis says who may run a slot. What runs is said by hosts. The two can differ
// in one direction only: the store may believe that a slot runs which does not,
// never give away one whose child may still live. A slot that holds capacity
// (assigned, running, stopping) can lose it by these five steps and no other:
//
//   - release, by its holder, whose tree is gone by then; whether giving up helps
//     is decided there, and asked before by the same words (elsewhere);
//   - unassign, of what nobody claimed, so that no child was started;
//   - want, of what nobody claimed, the same, and not in a hold; so are jobs forgotten that
//     an operator removed (job), that were done before (ended), or came too early (assert);
//   - reap, of a host whose lease lapsed, so that its supervisors have ended
//     their trees;
//   - assert, by a holder with a later token, over one whose word is older.
//
// # Why I1 to I4 hold: the books agree
//
// take and give_back (include/account.lua) are the only places that change used,
// slots:<host> and the load score, and they change all three. Which way is
// decided by whether the member entered or left slots:<host>, so that doing a
// step twice counts once, and used is the number of members by construction.
// Place looks at capacity and used in the same step in which it raises used, so
// it cannot raise it above capacity; assert may, because what runs, runs. Counters are not clamped:
// reindex recomputes them, and says in the feed that it had to.
//
// # Why J1 holds: one job for each end
//
// A job's name follows from what ended, its token above all (include/jobs.lua), so whoever
// sees an end makes the same record; jobs:made keeps the second from making it once it is
// done. The steps that take an instance back make what comes after it before anything of
// its record changes: no step lies between the two. What the store does not know, its
// host does: that a child ran comes with the release, and ends that another life of the
// store forgot are told by ended. That a job is done is told before that there was
// one, so that what a host wrote down as done is made by nobody (J2).
//
// # Why I5 holds: one live child tree for each instance
//
// A child starts only after claim said ok to this token, host and incarnation,
// and runs only until a deadline that its supervisor enforces. Two children of
// one instance need two tokens, and the second token exists only after one of the
// five steps above took the first away. The first three leave no child.
//
// Reap: a host trusts its lease until (its clock before the request) + ttl −
// margin, margin = 1 s + ttl/10; Redis lets it lapse at (its clock at the
// request) + ttl, later by the margin at least, if both clocks run alike. What
// can make them differ is looked for before anything is taken (include/
// fence.lua): the server's clock against what the scheduler expects, the age
// of the last tick, the run id, the epoch of the data, most hosts lapsing
// at once. Each opens a hold, in which nothing is taken or given. A hold lasts
// the longest lease and two beats: a host that lives has spoken by then, and a
// child whose runner does not has ended. A scheduler that remembers nothing
// cannot see a jump of the clock, but only one smaller than the age of the last
// tick can hide from it; so that age must be below the margin for it, or it holds.
//
// A server that has lost the scripts was restarted, failed over or flushed, and
// whoever notices runs fence before any other script is loaded. So nothing can
// be claimed or given in the moment between a restart and the first tick. place,
// claim, unassign and giving up ask held() besides, which refuses while the last
// tick is missing, older than 3 s or from the future.
//
// A hold also keeps what is wanted: want adds in it and unwants nothing, and has
// the stream looked at again when it is over. Who speaks first to an emptied store
// may have an older file. And what does not read (an announcement, a record's
// chain, a key of another type) is unknown: for it a stream gets slots and loses none.
//
// Data set back to an older state names holders that have let go and forgets
// holders that run. A hold opened for it makes the revision of every host a new
// one, so that each compares what it runs with what it should: tombstoned tokens
// are released again, living children asserted. Assert wins over pending and
// assigned (there is no other child, or none that may start), over absent only
// in a hold (outside of one, absent means that nobody wants it), over another
// holder only with the higher token number: numbers grow over steps of the clock
// and losses of data, as assert raises the counter to what it is told.
//
// # Why a slot has one instance that leads
//
// A stream wants slots; a slot has instances, <slot>.<n>, whose names never change
// and are never given again while the stream lives. stream:<key> lists them, and
// the last number given. What runs is an instance: all above speaks of these. A
// plain slot has one. Want makes it where there is none, not even one that is
// stopping; of more than that it keeps the one that is ready, then the one that
// leads, then one that runs, and never takes one away in a hold.
//
// A handover (start_first) is the one case of two children, and is declared by a wish
// in moves: succeed makes one instance more, that follows the running one, kept off
// that one's host, and only if none of its copy is stopping still. Lead has it take
// the place in one step, under the two tokens the caller saw: the other is stopping
// from then on. Whoever takes the followed one back (include/slot.lua requeue) ends
// the handover in that step: a successor that runs stays in its place, one that does
// not is one too many. An assert of one that the store forgot takes away what was put
// in line in its place.
//
// stream:<key>:<slot> says which instance leads, its state and host, and what the slot
// says to the others: what its lead published, kept until another lead's replace it.
// crown (include/lead.lua) is the only place where the lead and these change, in one
// step; settle decides it after whatever may have changed it, in the step that did.
// So a lead that is taken back beside a ready instance has handed over before anybody
// can read anything else. A lead that runs and is not ready for 5 s gives way to one
// that is, by want, which is asked for at that time. Nobody leads again only because
// he did before. ready() is the one place for what readiness asks.
//
// Late and doubled messages: every step of a holder carries token and
// incarnation and is refused unless both are current. A late claim finds another
// token or another incarnation; a late release the same, as a token is tombstoned
// by its host before the first release is sent and never starts again; giving up
// that is refused for want of a better place changes the token, so that a late
// copy of the request finds nothing either. A late register names the incarnation
// it replaces, and is refused where another has come since.
//
// The limits, on purpose: under on_store_loss keep, a host that is cut off from
// a store which others reach runs its children beyond its lease, until it reaches
// it again. A store that was emptied while no scheduler remembers it is held for
// two beats and 1 s only, until the first holder asserts something; in that case
// alone a child whose runner is dead or frozen may meet its successor.
//
// # Why I6 holds: nothing wanted is forgotten
//
// What is announced and the mark in dirty are one step, and want clears a mark
// only under the number it was read with: who clears it has seen all that was
// marked. Want writes a slot and its place in pending in one step, place moves
// it to the outbox in one step, claim takes it out as it becomes running; the
// steps that take a slot back put it in pending (include/slot.lua requeue), or
// forget it and mark its stream. A scheduler that dies between place and enqueue
// leaves the outbox, from which any other sends.
//
// Records are the truth; pending, outbox, slots:<host>, hosts:lease, load sets and
// the lists of names are derived of them. Mender goes round all records and has
// mend.lua put back what a hand took away; it takes nothing back itself, but gives a
// holder without a lease one that lapses. used is lowered only by what all records
// say (reindex), as rows that are lost are no room.
//
// # Why I7 holds: no token twice
//
// A token is max(last + 1, µs) and a nonce of the caller's. The number alone is
// unique as long as the counter is; the nonce keeps it unique when the counter
// and the clock are both set back.
//
// # Why L1 holds: it comes to rest
//
// Every state that is not rest is in a list that somebody reads at intervals:
// dirty, pending, outbox, moves, hosts:lease, slots:<host> through the revision. Holds
// end by time, and times from before a step back of the clock are brought within
// their limits (leases, starts, seats, absences).
//
// # Keys
//
//	service:<type>:<host>  hash    what a host offers; used; state, class, needs
//	host:<host>            hash    incarnation, host_id, ttl, beat, rev, state, want
//	hosts, types           set     names seen;  types:wanted those ever wanted
//	hosts:lease            zset    host by deadline, ms
//	slots:<host>           zset    <type>|<key>|<instance>, all of score 0
//	stream:<key>           hash    key, chain, source, priority; user values;
//	                               instance:<name> = type, last:<slot> = last
//	                               number given, source:<var>, sys:<name>
//	stream:<key>:<slot>    hash    type, instances, lead; state, host of that;
//	                               var:<name>: what the slot says
//	stream:<key>:<instance> hash   state, host, token, since, …; var:<name>
//	streams                zset    keys of stream:<key>
//	pending:<type>         zset    <key>|<instance> by priority, then age
//	load:<type>:<class>    zset    host by load; room is a score up to 10⁶
//	classes:<type>         hash    class id → filter, preference, needs (JSON)
//	outbox                 zset    <key>|<instance> by when its start is due, ms
//	dirty                  zset    stream key by the number of its mark
//	requeue                zset    stream key by when to reconcile again, ms
//	moves                  hash    <key>|<instance> → the wish to move it
//	announced:<source>     hash    key → announcement (JSON)
//	missing:<source>       hash    key → ms since no poller lists it
//	source:<source>        hash    identity, poller, version, last_good, state, info,
//	                               rules, rules_version, rules_digest, rules_by, rules_at
//	differs:<source>       hash    whose file says something else: at:<host>, rules:<host>, …
//	sources                set     names
//	override:<key>         hash    operators' words: held, var:<name>, pin:<slot>, slot:<slot> (on, off)
//	reaper                 hash    tick, until, reason, run_id, epoch, mass_*
//	seats                  zset    busy schedulers by when their seat ends, ms
//	token                  string  the highest token number
//	events                 stream  what happened, capped
//	draining               set     hosts that are drained
//	turn:upkeep            string  who does the upkeep of these seconds
//	aside                  hash    key that was of another type → the two types
//	aside:<key>            any     what it held
//	schema                 string  layout in force (layout.go)
//	wake                   channel hints: dirty, room <type>, pending <type>, …
//
// # Goroutines
//
// One, of [Store.Hints], which ends with its context. A Store owns neither the
// client nor anything that runs.
package store
