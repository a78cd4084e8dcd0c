-- unassign: takes back what was placed on a host that did not claim it.
-- KEYS: none. Touches reaper, stream:<key>, stream:<key>:<slot>, stream:<key>:<instance>, pending:<type>, outbox, slots:<host>,
--   service:<type>:<host>, load:<type>:<class>, host:<host>,
--   dirty, streams, moves, requeue, jobs, events.
-- ARGV: ns, actor, key, instance, type, token, ban (ms to avoid its host), reason.
-- RETURN: {'ok'} | {'stale'} (claimed meanwhile, or another token) | {'hold', reason}.
-- TWICE: it is pending after the first: 'stale'.
local ns, actor, key, instance, stype, token, ban, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8]
-- include: now
-- include: hold
-- include: event
-- include: dirty
-- include: index
-- include: account
-- include: slot

local why = held()
if why then return { 'hold', why } end
local at = ns .. 'stream:' .. key .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'host', 'token', 'avoid', 'alone')
if s[1] ~= 'assigned' or s[3] ~= token then return { 'stale' } end
give_back(stype, key, instance, s[2])
event('unassigned', key, called(key, instance), s[2], token, reason)
avoid_host(at, s[4], s[2], ban)
requeue(stype, key, instance, reason, s[5])
return { 'ok' }
