-- leases: what the hosts registered about their leases.
-- include: sound

-- longest gives the longest lease and beat registered, at least those given.
local function longest(ttl, beat)
  for _, host in ipairs(redis.call('ZRANGE', ns .. 'hosts:lease', 0, -1)) do
    local at = ns .. 'host:' .. host
    local h = sound(at) and redis.call('HMGET', at, 'ttl', 'beat') or {}
    ttl = math.max(ttl, stamp(h[1]) or 0)
    beat = math.max(beat, stamp(h[2]) or 0)
  end
  return ttl, beat
end

-- shortest gives the shortest lease registered, at most the one given.
local function shortest(ttl)
  for _, host in ipairs(redis.call('ZRANGE', ns .. 'hosts:lease', 0, -1)) do
    local at = ns .. 'host:' .. host
    ttl = math.min(ttl, sound(at) and stamp(redis.call('HGET', at, 'ttl')) or ttl)
  end
  return ttl
end

-- reconcile_hosts has every host look at all it holds: its revision becomes one that
-- it cannot have seen, even if the store was set back to older data. A lease
-- that ends later than it could was given before the clock went back.
local function reconcile_hosts()
  local lease = ns .. 'hosts:lease'
  local rows = redis.call('ZRANGE', lease, 0, -1, 'WITHSCORES')
  for i = 1, #rows, 2 do
    local h = ns .. 'host:' .. rows[i]
    local v = sound(h) and redis.call('HMGET', h, 'rev', 'ttl') or {}
    if v[1] then redis.call('HSET', h, 'rev', int(math.max((stamp(v[1]) or 0) + 1, now_us))) end
    local ttl = stamp(v[2])
    if ttl and tonumber(rows[i + 1]) > now + ttl then redis.call('ZADD', lease, int(now + ttl), rows[i]) end
  end
end
