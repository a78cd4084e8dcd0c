-- restart: asks the host of a running instance to end its child and start it anew,
-- with the environment it should have now. The host takes the wish away when
-- it has done so.
-- KEYS: none. Touches stream:<key>:<slot>, stream:<key>:<instance>, host:<host>, events.
-- ARGV: ns, actor, key, name (of an instance, or of a slot for the one that leads it), stale (1: only if its environment would now differ).
-- RETURN: {'ok', type, host, token} | {'fresh'} (stale was asked for and it is
--   not) | {'not', state ('' for no such instance)}.
-- TWICE: the wish is there already, or is made anew after it was done.
local ns, actor, key, name, stale = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
-- include: now
-- include: event
-- include: lead

local instance = slot_of(name) and name or redis.call('HGET', ns .. 'stream:' .. key .. ':' .. name, 'lead')
if not instance then return { 'not', '' } end
local at = ns .. 'stream:' .. key .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'type', 'host', 'token', 'stale')
if s[1] ~= 'running' then return { 'not', s[1] or '' } end
if stale and not s[5] then return { 'fresh' } end
redis.call('HSET', at, 'restart', int(now))
bump(s[3])
event('restart', key, called(key, instance), s[3], s[4], because('asked'))
return { 'ok', s[2], s[3], s[4] }
