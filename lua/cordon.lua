-- cordon: an operator says what a host may do: up, cordoned (keeps what it has,
-- takes nothing new) or draining (hands over what it has). The word stays over
-- the host's restarts.
-- KEYS: none. Touches host:<host>, hosts, slots:<host>, draining, unwell, service:<type>:<host>, load:<type>:<class>, events.
-- ARGV: ns, actor, host, state, deadline (ms until a drain stops waiting for room
--   elsewhere, 0 for never), at_a_time (slots that a drain moves at once).
-- RETURN: {'ok', state it had} | {'absent'}.
-- TWICE: sets the same word again.
local ns, actor, host, state, deadline, at_a_time = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
-- include: now
-- include: event
-- include: index
-- include: bound
-- include: rev
-- include: weigh

local h = ns .. 'host:' .. host
sound(h)
local old = redis.call('HMGET', h, 'want', 'state', 'services')
if not old[1] then return { 'absent' } end
redis.call('HSET', h, 'want', state)
if deadline > 0 then redis.call('HSET', h, 'drain_until', int(now + deadline)) else redis.call('HDEL', h, 'drain_until') end
if state == 'draining' then redis.call('HSET', h, 'drain_at_a_time', at_a_time) else redis.call('HDEL', h, 'drain_at_a_time') end
redis.call(state == 'draining' and 'SADD' or 'SREM', ns .. 'draining', host)
bump(host)
if old[2] ~= 'down' then
  redis.call('HSET', h, 'state', state)
  local types = {}
  for stype in string.gmatch(old[3] or '', '%S+') do
    local service = ns .. 'service:' .. stype .. ':' .. host
    if sound(service) then
      redis.call('HSET', service, 'state', bound(service, state))
      types[#types + 1] = stype
    end
    wake('room ' .. stype)
  end
  index_all(host, types)
  for _, stype in ipairs(types) do weigh(stype) end
end
event(state == 'up' and 'uncordoned' or state, '', '', host, '', '')
if state == 'draining' then wake('moves') end
return { 'ok', old[1] }
