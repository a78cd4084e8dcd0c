-- restart: asks the host of a running slot to end its child and start it anew,
-- with the environment it should have now. The host takes the wish away when
-- it has done so.
-- KEYS: none. Touches stream:<key>:<slot>, host:<host>, events.
-- ARGV: ns, actor, key, slot, stale (1: only if its environment would now differ).
-- RETURN: {'ok', type, host, token} | {'fresh'} (stale was asked for and it is
--   not) | {'not', state ('' for no such slot)}.
-- TWICE: the wish is there already, or is made anew after it was done.
local ns, actor, key, slot, stale = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
-- include: now
-- include: event
-- include: rev

local at = ns .. 'stream:' .. key .. ':' .. slot
local s = redis.call('HMGET', at, 'state', 'type', 'host', 'token', 'stale')
if s[1] ~= 'running' then return { 'not', s[1] or '' } end
if stale and not s[5] then return { 'fresh' } end
redis.call('HSET', at, 'restart', int(now))
bump(s[3])
event('restart', key, slot, s[3], s[4], because('asked'))
return { 'ok', s[2], s[3], s[4] }
