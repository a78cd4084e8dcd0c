-- note: writes down why a pending instance waits, if that is news.
-- KEYS: none. Touches stream:<key>:<slot>, stream:<key>:<instance>, events.
-- ARGV: ns, actor, key, instance, reason.
-- RETURN: {'ok'} | {'same'} | {'gone'} (not pending any more).
-- TWICE: the second says nothing new: 'same'.
local ns, actor, key, instance, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
-- include: now
-- include: event
-- include: lead

local at = ns .. 'stream:' .. key .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'reason')
if not slot_of(instance) or s[1] ~= 'pending' then return { 'gone' } end
if s[2] == reason then return { 'same' } end
redis.call('HSET', at, 'reason', reason)
event('waits', key, called(key, instance), '', '', reason)
return { 'ok' }
