-- release: the host gives an instance back; its children are gone. What is still
-- wanted goes back in line, and this host is avoided for a while if it failed.
-- A host that failed may ask to give up only if that helps: if another host
-- has room, for what is pinned its pin, and it has not failed on two hosts
-- already. Else it stays
-- here under a new token: the old one was given up, so whatever is still on its
-- way in its name must find nothing. Whatever it says, a term is over whose child is gone: the
-- jobs that come after it are made. A job that is done is so in this step, and what comes after it
-- is made; one that failed for good stays and is told, out of line.
-- KEYS: none. Touches reaper, host:<host>, stream:<key>, stream:<key>:<slot>, stream:<key>:<instance>,
--   override:<key>, jobs, jobs:made, jobs:done, job:<key>:<instance>, types:wanted,
--   pending:<type>, outbox, slots:<host>, service:<type>:<host>, load:<type>:<class>, dirty,
--   streams, moves, requeue, hosts:lease, token, events.
-- ARGV: ns, actor, key, instance, type, host, token, incarnation, reason, ban (ms to
--   avoid this host, 0 for none), only_if_room (1 or 0), nonce,
--   ran (1: its child ran under this token, should the store not know), done (of a job: the code
--   it ended with, '' for not done), began, till (ms, of the child that did it), failed (1: of a job, it
--   is not to be tried again), n, n classes that
--   may take it.
-- RETURN: {'ok', 'pending' | 'gone' | 'done' | 'failed'} | {'stale'} (not this host's any more) |
--   {'stay', token} (nowhere better to go) | {'hold', reason} (giving up must wait).
-- TWICE: the token is over after the first: 'stale'.
local ns, actor, key, instance, stype, host, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local incarnation, reason, ban, only_if_room = ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11] == '1'
local nonce, ran, done, began, till = ARGV[12], ARGV[13] == '1', ARGV[14], ARGV[15], ARGV[16]
local failed, n = ARGV[17] == '1', tonumber(ARGV[18])
local FIRST = 19
-- include: now
-- include: ample
-- include: event
-- include: dirty
-- include: index
-- include: account
-- include: slot
-- include: token
-- include: elsewhere
-- include: jobs

local at = ns .. 'stream:' .. key .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'host', 'token', 'avoid', 'move', 'alone', 'with', 'ran')
if s[2] ~= host or s[3] ~= token or redis.call('HGET', ns .. 'host:' .. host, 'incarnation') ~= incarnation then
  return { 'stale' }
end

local job, since = is_job(instance), s[8] or ran and int(now)
if job and done ~= '' then
  finished(key, instance, stype, host, done, stamp(began) or now, stamp(till) or now, reads_of(key, instance))
  give_back(stype, key, instance, host)
  forget(stype, key, instance)
  return { 'ok', 'done' }
end
if only_if_room and s[1] ~= 'stopping' then
  local helps, why = elsewhere(key, instance, stype, host, s[4], FIRST, n)
  if why then return { 'hold', why } end
  if not helps then
    ended(key, instance, host, token, reason, since)
    local fresh = issue()
    redis.call('HSET', at, 'token', fresh)
    redis.call('HDEL', at, 'ran')
    bump(host)
    event('stays', key, s[6] and slot_of(instance) or called(key, instance), host, fresh, reason)
    return { 'stay', fresh }
  end
end

ended(key, instance, host, token, reason, since)
give_back(stype, key, instance, host)
event('released', key, s[6] and slot_of(instance) or called(key, instance), host, token, reason)
if job and failed and s[1] ~= 'stopping' then
  fail(stype, key, instance, host, reason)
  return { 'ok', 'failed' }
end
if s[1] == 'stopping' then
  forget(stype, key, instance)
  wake('dirty')
  return { 'ok', 'gone' }
end
-- Who was asked to move must not come back at once: 5 s are enough to be placed
-- elsewhere, and little to an operator who wants it back. A sidecar has one place only.
if s[5] and not s[7] then ban = math.max(ban, 5000) end
avoid_host(at, s[4], host, ban)
requeue(stype, key, instance, reason, s[6])
return { 'ok', 'pending' }
