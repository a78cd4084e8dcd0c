-- leave: a host takes no more work, and is gone once it holds nothing.
-- KEYS: none. Touches host:<host>, hosts, hosts:lease, unwell, slots:<host>,
--   service:<type>:<host>, load:<type>:<class>, events.
-- ARGV: ns, actor, host, incarnation.
-- RETURN: {'left'} | {'holds', slots it still has} | {'stale'}.
-- TWICE: the second call finds it gone and says so.
local ns, actor, host, incarnation = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
-- include: now
-- include: ample
-- include: event
-- include: index
-- include: weigh

local h = ns .. 'host:' .. host
local old = redis.call('HMGET', h, 'incarnation', 'services', 'state')
if old[1] ~= incarnation then return { 'stale' } end
local held = redis.call('ZCARD', ns .. 'slots:' .. host)
-- While it still holds something it is cordoned, in a way that outlasts a
-- reindex; registering again ends that.
local state, types = held > 0 and 'cordoned' or 'down', {}
for stype in string.gmatch(old[2] or '', '%S+') do
  local service = ns .. 'service:' .. stype .. ':' .. host
  if sound(service) then
    redis.call('HSET', service, 'state', state)
    types[#types + 1] = stype
  end
end
index_all(host, types)
-- The host takes nothing any more, so half of the others is fewer.
local function reweigh()
  for stype in string.gmatch(old[2] or '', '%S+') do weigh(stype) end
end
if held > 0 then
  if old[3] ~= 'down' then redis.call('HSET', h, 'state', state, 'reason', because('leaves'), 'since', int(now)) end
  reweigh()
  return { 'holds', held }
end
if old[3] ~= 'down' then
  redis.call('HSET', h, 'state', 'down', 'reason', because('left'), 'since', int(now))
  event('host-left', '', '', host, '', '')
end
redis.call('ZREM', ns .. 'hosts:lease', host)
reweigh()
return { 'left' }
