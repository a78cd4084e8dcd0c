-- seat: takes or renews one of a few busy places among the schedulers.
-- KEYS: none. Touches seats, schema.
-- ARGV: ns, actor, id, seats (number of busy ones), ttl (ms), from, to (the layouts
--   it speaks), known (the one it last knew in force).
-- RETURN: {'seated', layout in force, ids of all who have one} | {'standby', layout
--   in force, ms until the next seat ends, unless its holder renews it} |
--   {'layout', the one in force, which the scheduler does not speak}.
-- TWICE: a seat that is held is renewed.
local ns, actor, id, seats, ttl = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local from, to, known = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
-- include: now
-- include: layout

local key, own = ns .. 'seats', id .. ' ' .. spoken(from, to)
local other = foreign(from, to, known)
if other then
  redis.call('ZREM', key, own)
  return { 'layout', other }
end
local current = redis.pcall('GET', ns .. 'schema')
if type(current) ~= 'string' then current = known end
redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now))
redis.call('ZREMRANGEBYSCORE', key, '(' .. int(now + ttl), '+inf') -- from before the clock went back
if redis.call('ZSCORE', key, own) or redis.call('ZCARD', key) < seats then
  redis.call('ZADD', key, int(now + ttl), own)
  local ids = {}
  for i, row in ipairs(redis.call('ZRANGE', key, 0, -1)) do ids[i] = string.match(row, '^(.*) %S+$') or row end
  return { 'seated', current, ids }
end
local next = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
return { 'standby', current, next[2] and int(next[2] - now) or '0' }
