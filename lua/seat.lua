-- seat: takes or renews one of a few busy places among the schedulers.
-- KEYS: none. Touches seats.
-- ARGV: ns, actor, id, seats (number of busy ones), ttl (ms).
-- RETURN: {'seated', ids of all who have one} | {'standby', ms until the next
--   seat ends, unless its holder renews it}.
-- TWICE: a seat that is held is renewed.
local ns, actor, id, seats, ttl = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
-- include: now

local key = ns .. 'seats'
redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now))
redis.call('ZREMRANGEBYSCORE', key, '(' .. int(now + ttl), '+inf') -- from before the clock went back
if redis.call('ZSCORE', key, id) or redis.call('ZCARD', key) < seats then
  redis.call('ZADD', key, int(now + ttl), id)
  return { 'seated', redis.call('ZRANGE', key, 0, -1) }
end
local next = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
return { 'standby', next[2] and int(next[2] - now) or '0' }
