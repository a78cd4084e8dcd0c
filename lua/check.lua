-- check: a host says how one of its services stands by its check: what fails, or that
-- it is well. One that fails takes nothing new, as if cordoned, and keeps what it has; but
-- never more than half, rounded down, of the services of its type that are up: who is
-- beyond that is not heeded, and says so.
-- KEYS: none. Touches host:<host>, hosts, unwell, service:<type>:<host>,
--   load:<type>:<class>, slots:<host>, events.
-- ARGV: ns, actor, host, incarnation, type, error (what fails, '' for well).
-- RETURN: {'ok', 'well' | 'kept' | 'ignored' | 'idle' (it fails, and would take nothing
--   anyhow)} | {'stale'} (another life of the host, or it offers no such service).
-- TWICE: the second changes nothing but the words of what fails.
local ns, actor, host, incarnation, stype, fails = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
-- include: now
-- include: event
-- include: weigh

local h, service = ns .. 'host:' .. host, ns .. 'service:' .. stype .. ':' .. host
if not sound(h) or redis.call('HGET', h, 'incarnation') ~= incarnation then return { 'stale' } end
if not sound(service) or redis.call('HEXISTS', service, 'class') == 0 then return { 'stale' } end
local unwell, member = ns .. 'unwell', stype .. '|' .. host
if fails ~= '' then
  redis.call('HSET', service, 'check', fails)
  redis.call('ZADD', unwell, 'NX', int(now), member)
  weigh(stype)
  return { 'ok', redis.call('HGET', service, 'heed') or 'idle' }
end
local was = redis.call('HGET', service, 'check')
redis.call('HDEL', service, 'check', 'heed', 'checked')
redis.call('ZREM', unwell, member)
if was then
  redis.call('HSET', service, 'state', bound(service, redis.call('HGET', h, 'state') or 'down'))
  index(stype, host)
  wake('room ' .. stype)
  event('check', '', '', host, '', because('check-well', 'type', stype))
  weigh(stype) -- who was not heeded may be, now
end
return { 'ok', 'well' }
