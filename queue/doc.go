// Package queue carries short messages between the processes, by asynq over
// the Redis they share. It is the only importer of asynq and asynqmon.
//
// # What a task is
//
// A task is a hint or a short command, never the life of a child, and never
// the truth: the store holds that. Losing every queue loses no work; it costs
// the time until somebody looks by himself.
//
//   - Events (stream:appeared, stream:gone) on the queue "events" say: look
//     at these keys again. One task carries many keys. When too many wait
//     unread, further ones are refused (ErrBacklog), as they would add
//     nothing.
//   - Slot commands (slot:start, slot:stop, slot:update) on the queue
//     "<type>:<host>" tell one host to look after one slot. They are never
//     retried here: the store's outbox sends again, as a new sending.
//
// A server looks at a queue when it was woken for it, never by the clock: see
// gate and wake. A hint that is lost costs up to keepEvery; whoever knows that
// something changed (a host, by its beat) says so by Server.Changed.
//
// Names of queues are prefixed by the namespace. A type has no ':', so the
// first ':' after the namespace ends it, and a host may be an IPv6 address.
// Two namespaces in one Redis share asynq's list of queues and its list of
// servers; each sees only what bears its prefix and parses. (One quirk is
// left: the empty namespace takes "voc:events" for the type voc on a host
// named events, so let no empty namespace live beside another if it has such
// a service.)
//
// # Ids
//
// The id of a start is start.<key>.<instance>.<token>.<sending>, with ':' for each
// '/' of the key. asynq refuses an id it still holds, for 90 days if the task
// failed; a token is never issued twice, so that a refusal can only mean that
// this very command was sent before, and counts as success.
//
// A stop or an update only says "look", so its id is <verb>.<key>.<instance>.<token>
// and one waits at a time, however often it is sent and however long its queue
// is paused. One that is sent while an earlier one is being read goes behind it,
// with ".next" after its id.
//
// # What an operator sees in asynqmon
//
// A command that was carried out stays for ten minutes with its result
// ("claimed", "stale: …"); one that failed is kept among the archived ones
// with the reason, the newest hundred of each queue. Pausing a slot queue
// there cordons that service: the store places nothing on it, and no command
// reaches the host by this way until the queue is resumed (what must stop is
// still stopped, as the host compares itself with the store). A running
// server lists its queues even before the first command, so that they can be
// paused at any time.
//
// # Outages
//
// A server needs no Redis to start and never gives up: while a look fails it
// asks about once a second, says so once a minute in the log, and goes on by
// itself. After FLUSHALL it lists its queues anew within seconds. A command
// that was in flight when its host died stays "active" until a server of the
// same queue archives it, one to two minutes after that server's start.
//
// # Goroutines
//
// A Client has none. A Server has those of asynq (nine, and one or two for
// each task in flight), one that lists its queues and trims what failed, and
// one that hears hints, with two of the Redis client behind it; Server.Stop ends
// them all. A handler that ignores its context outlives
// Stop's bound, and Stop says so.
//
// The Redis client given to a Server is closed only after Stop has returned:
// asynq panics when its subscription is closed under it.
package queue
