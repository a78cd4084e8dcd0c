-- reap: one tick of the reaper. Opens a hold when the store is not what it
-- was; else takes back what hosts held whose lease lapsed, some at a time.
-- KEYS: none. Touches reaper, hosts, hosts:lease, unwell, host:<host>, slots:<host>,
--   service:<type>:<host>, load:<type>:<class>, stream:<key>, stream:<key>:<slot>,
--   stream:<key>:<instance>, pending:<type>, outbox, dirty, streams, moves, requeue, jobs, jobs:made, types:wanted, events.
-- ARGV: ns, actor, nonce, expected (ms or ''), epoch ('' for none), ttl, beat
--   (longest known, ms), budget (slots a call), unsure (1: a call that was slow on
--   its way would look like a jump of the clock; answer 'doubt' then).
-- RETURN: {'doubt', now} (nothing was done) | {'hold', now, epoch, until, reason} | {'ok', now, epoch, lapsed hosts,
--   slots taken back, 1 if more is to do}.
-- TWICE: a slot taken back is in no slots:<host> any more.
local ns, actor, nonce, expected, epoch = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local ttl, beat, budget, unsure = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1'
-- include: now
-- include: event
-- include: dirty
-- include: index
-- include: weigh
-- include: account
-- include: slot
-- include: split
-- include: fence
-- include: jobs

epoch = fence(expected, epoch, ttl, beat, unsure)
if not epoch then return { 'doubt', int(now) } end
local reaper, lease = ns .. 'reaper', ns .. 'hosts:lease'
local r = redis.call('HMGET', reaper, 'until', 'reason', 'mass_since', 'mass_until')
if now < (stamp(r[1]) or 0) then return { 'hold', int(now), epoch, r[1], r[2] or '' } end

local lapsed = redis.call('ZCOUNT', lease, '-inf', int(now))
if lapsed == 0 then
  if r[3] then redis.call('HDEL', reaper, 'mass_since', 'mass_until') end
  return { 'ok', int(now), epoch, 0, 0, 0 }
end

-- Most hosts gone in one moment is more likely our view than theirs.
if lapsed > 2 and lapsed > 0.55 * redis.call('ZCARD', lease) then
  local release = stamp(r[4]) or 0
  if not r[3] then
    local t, b = longest(ttl, beat)
    release = now + t + 2 * b
    redis.call('HSET', reaper, 'mass_since', int(now), 'mass_until', int(release))
    event('hold', '', '', '', '', because('mass-lapse', 'hosts', int(lapsed), 'ms', int(t + 2 * b)))
  end
  if now < release then return { 'hold', int(now), epoch, int(release), because('mass-lapse') } end
elseif r[3] then
  redis.call('HDEL', reaper, 'mass_since', 'mass_until')
end

local function down(host)
  local h = ns .. 'host:' .. host
  sound(h)
  if redis.call('HGET', h, 'state') == 'down' then return end
  redis.call('HSET', h, 'state', 'down', 'since', int(now), 'reason', because('lapsed'))
  local types = {}
  for stype in string.gmatch(redis.call('HGET', h, 'services') or '', '%S+') do
    local service = ns .. 'service:' .. stype .. ':' .. host
    if sound(service) then
      redis.call('HSET', service, 'state', 'down')
      types[#types + 1] = stype
    end
    weigh(stype) -- half of fewer is fewer
  end
  index_all(host, types)
  event('host-down', '', '', host, '', because('lapsed'))
end

local taken = 0
for _, host in ipairs(redis.call('ZRANGEBYSCORE', lease, '-inf', int(now), 'LIMIT', 0, 100)) do
  down(host)
  -- When it was last heard of.
  local heard = (tonumber(redis.call('ZSCORE', lease, host)) or now) - (stamp(redis.call('HGET', ns .. 'host:' .. host, 'ttl')) or 0)
  local slots = ns .. 'slots:' .. host
  for _, line in ipairs(redis.call('ZRANGE', slots, 0, budget - taken - 1)) do
    local stype, key, instance, along = split_row(line)
    taken = taken + 1
    local at = stype and ns .. 'stream:' .. key .. ':' .. instance
    local s = at and sound(at) and redis.call('HMGET', at, 'state', 'host', 'token', 'alone', 'ran')
    if not s or s[2] ~= host then
      redis.call('ZREM', slots, line) -- a row edited by hand, or half of one
      if along and s then unbook(stype, key, instance, host)
      elseif stype and not along then charge(stype, host, -1) end
    else
      ended(key, instance, host, s[3], because('host-down', 'host', host), s[5], heard)
      give_back(stype, key, instance, host)
      event('reaped', key, s[4] and slot_of(instance) or called(key, instance), host, s[3], because('lapsed'))
      if s[1] == 'stopping' then
        forget(stype, key, instance, heard)
      else
        requeue(stype, key, instance, because('host-down', 'host', host), s[4], heard)
      end
    end
  end
  if redis.call('ZCARD', slots) == 0 then redis.call('ZREM', lease, host) end
  if taken >= budget then return { 'ok', int(now), epoch, lapsed, taken, 1 } end
end
return { 'ok', int(now), epoch, lapsed, taken, 0 }
