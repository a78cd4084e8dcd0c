-- lead: the successor of an instance is ready, so it takes its place. If the one it
-- follows led, it leads from this step on, and the slot says what it publishes. The
-- other is not wanted any more, and its move is over. Both hold what they held: no
-- figure changes.
-- KEYS: none. Touches reaper, moves, stream:<key>, stream:<key>:<slot>, stream:<key>:<instance>,
--   host:<host>, pending:<type>, outbox, slots:<host>, service:<type>:<host>,
--   load:<type>:<class>, dirty, streams, requeue, jobs, events.
-- ARGV: ns, actor, key, instance (the one that is followed), token, its successor's token.
-- RETURN: {'ok', rows of stop commands, rows of update commands} | {'stale'} |
--   {'hold', reason}; a row is {key, instance, type, host, token}.
-- TWICE: the one is stopping after the first: 'stale'.
local ns, actor, key, instance, old, new = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
-- include: now
-- include: hold
-- include: event
-- include: index
-- include: account
-- include: slot

local why = held()
if why then return { 'hold', why } end
local stream, slot = ns .. 'stream:' .. key, slot_of(instance)
local heir = successor(key, instance)
local s = redis.call('HMGET', stream .. ':' .. instance, 'state', 'host', 'token', 'type')
local n = heir and redis.call('HMGET', stream .. ':' .. heir, 'state', 'host', 'token') or {}
if s[1] ~= 'running' or s[3] ~= old or n[1] ~= 'running' or n[3] ~= new then return { 'stale' } end

local updates = {}
inherit(key, heir, instance)
redis.call('HSET', stream .. ':' .. heir, 'reason', '')
if redis.call('HGET', stream .. ':' .. slot, 'lead') == instance then updates = crown(key, slot, heir, because('ready')) end
event('moved', key, heir, n[2], new, because('move-from', 'host', s[2]))
return { 'ok', { unwant(s[4], key, instance, because('moved', 'host', n[2])) }, updates }
