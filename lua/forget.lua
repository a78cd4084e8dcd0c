-- forget: removes what is known of a host that is down for long and holds
-- nothing. A cordoned host is remembered: an operator's word outlives restarts.
-- KEYS: none. Touches host:<host>, hosts, hosts:lease, draining, slots:<host>,
--   service:<type>:<host>, load:<type>:<class>, events.
-- ARGV: ns, actor, host, after (ms it must have been down).
-- RETURN: {'ok'} | {'stays'}.
-- TWICE: the second finds nothing: 'stays'.
local ns, actor, host, after = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
-- include: now
-- include: event
-- include: sound

local h = ns .. 'host:' .. host
sound(h)
local old = redis.call('HMGET', h, 'state', 'since', 'services', 'want')
local since = tonumber(old[2])
if old[1] ~= 'down' or (old[4] or 'up') ~= 'up' or not since or now - since < after
  or redis.call('SCARD', ns .. 'slots:' .. host) > 0 or redis.call('ZSCORE', ns .. 'hosts:lease', host) then
  return { 'stays' }
end
for stype in string.gmatch(old[3] or '', '%S+') do
  local service = ns .. 'service:' .. stype .. ':' .. host
  local class = sound(service) and redis.call('HGET', service, 'class')
  if class then redis.call('ZREM', ns .. 'load:' .. stype .. ':' .. class, host) end
  redis.call('DEL', service)
end
redis.call('DEL', h)
redis.call('SREM', ns .. 'hosts', host)
redis.call('SREM', ns .. 'draining', host)
event('host-forgotten', '', '', host, '', because('down-long'))
return { 'ok' }
