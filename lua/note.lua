-- note: writes down why a pending slot waits, if that is news.
-- KEYS: none. Touches stream:<key>:<slot>, events.
-- ARGV: ns, actor, key, slot, reason.
-- RETURN: {'ok'} | {'same'} | {'gone'} (not pending any more).
-- TWICE: the second says nothing new: 'same'.
local ns, actor, key, slot, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
-- include: event

local at = ns .. 'stream:' .. key .. ':' .. slot
local s = redis.call('HMGET', at, 'state', 'reason')
if s[1] ~= 'pending' then return { 'gone' } end
if s[2] == reason then return { 'same' } end
redis.call('HSET', at, 'reason', reason)
event('waits', key, slot, '', '', reason)
return { 'ok' }
