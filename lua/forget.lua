-- forget: removes what is known of a host that holds nothing: one that is down for
-- long, or one that an operator says will not come back. A cordoned host is
-- forgotten only by an operator: the word outlives restarts.
-- KEYS: none. Touches host:<host>, hosts, hosts:lease, draining, slots:<host>, types,
--   classes:<type>, service:<type>:<host>, load:<type>:<class>, sources, differs:<source>, refused, troubles, events.
-- ARGV: ns, actor, host, after (ms it must have been down; '': an operator says so).
-- RETURN: {'ok'} | {'stays'} (it was not down for so long, or is not idle) | for an operator besides {'absent'} |
--   {'lives', ms until its lease ends} | {'holds', slots}.
-- TWICE: the second finds nothing: 'stays', 'absent'.
local ns, actor, host, after = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
-- include: now
-- include: event
-- include: leases

local h, lease = ns .. 'host:' .. host, ns .. 'hosts:lease'
local known = sound(h)
local old = known and redis.call('HMGET', h, 'state', 'since', 'want', 'ttl', 'services') or {}
local ends, held = tonumber(redis.call('ZSCORE', lease, host)), redis.call('ZCARD', ns .. 'slots:' .. host)

if after == '' then
  if not known and not ends and held == 0 and redis.call('SISMEMBER', ns .. 'hosts', host) == 0 then return { 'absent' } end
  if known and not ends and old[1] ~= 'down' then -- a hand took the lease away: it may live
    ends = now + (stamp(old[4]) or longest(10000, 0))
    redis.call('ZADD', lease, int(ends), host)
  end
  if ends and ends > now then return { 'lives', int(ends - now) } end
  if held > 0 then return { 'holds', held } end
else
  local since = stamp(old[2])
  local idle = old[1] == 'down' and (old[3] or 'up') == 'up' and not ends and held == 0
  if not idle or not since or now - since < tonumber(after) then return { 'stays' } end
end

-- Of all types, whatever a hand took from the list of its own.
local types = redis.call('SMEMBERS', ns .. 'types')
for stype in string.gmatch(old[5] or '', '%S+') do types[#types + 1] = stype end
for _, stype in ipairs(types) do
  local service, loads = ns .. 'service:' .. stype .. ':' .. host, ns .. 'load:' .. stype .. ':'
  local class = sound(service) and redis.call('HGET', service, 'class')
  if class then redis.call('ZREM', loads .. class, host) end
  for _, other in ipairs(redis.call('HKEYS', ns .. 'classes:' .. stype)) do redis.call('ZREM', loads .. other, host) end
  redis.call('DEL', service)
end
redis.call('DEL', h)
redis.call('ZREM', lease, host)
redis.call('SREM', ns .. 'hosts', host)
redis.call('SREM', ns .. 'draining', host)
for _, source in ipairs(redis.call('SMEMBERS', ns .. 'sources')) do
  redis.call('HDEL', ns .. 'differs:' .. source, 'at:' .. host, 'rules:' .. host, 'digest:' .. host, 'what:' .. host, 'refused:' .. host)
end
redis.call('HDEL', ns .. 'refused', host)
redis.call('HDEL', ns .. 'troubles', host)
event('host-forgotten', '', '', host, '', because(after == '' and 'for-good' or 'down-long'))
return { 'ok' }
