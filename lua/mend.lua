-- mend: makes what is derived of a stream's slots agree with their records,
-- whatever a hand, half a script or a restore took from it: what waits is in
-- line, what is placed is in the outbox, what holds capacity is in slots:<host>,
-- and its host has a lease to lapse. It takes nothing back; the reaper does, of
-- hosts whose lease lapsed, by its own rules and holds.
-- KEYS: none. Touches stream:<key>, stream:<key>:<slot>, streams, types:wanted, pending:<type>,
--   outbox, slots:<host>, service:<type>:<host>, load:<type>:<class>, host:<host>, hosts,
--   hosts:lease, dirty, events.
-- ARGV: ns, actor, key, ttl (longest lease known, ms), look (1: have the stream
--   looked at again, its mark may be lost), n, n pairs of slot and type ('':
--   not known) that may have a record besides those the stream knows.
-- RETURN: {'ok', corrections, rows of what holds capacity}; a row is {type, host}.
-- TWICE: the second finds nothing to correct.
local ns, actor, key, ttl, look, n = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1', tonumber(ARGV[6])
local FIRST = 7
-- include: now
-- include: event
-- include: dirty
-- include: index
-- include: leases
-- include: rev

local stream, mended, holders = ns .. 'stream:' .. key, 0, {}
local function right(changed) mended = mended + changed end

-- leased gives a host that a record names a lease, if it lost it. A living host
-- renews it at its next beat. A dead one's children end within a lease from now;
-- those of one that is down have ended.
local function leased(host)
  if redis.call('ZSCORE', ns .. 'hosts:lease', host) then return end
  local h = ns .. 'host:' .. host
  local s = sound(h) and redis.call('HMGET', h, 'state', 'ttl') or {}
  local rest = s[1] == 'down' and 0 or stamp(s[2]) or longest(ttl, 0)
  redis.call('ZADD', ns .. 'hosts:lease', int(now + rest), host)
  event('mended', '', '', host, '', because('mended-lease'))
  right(1)
end

-- once adds a name to a list, and tells whether it is the first time.
local listed = {}
local function once(list, name)
  if listed[name] == list then return false end
  listed[name] = list
  redis.call('SADD', list, name)
  return true
end

-- state gives what a record says, made whole where it is half: what names a
-- holder is held until its host says else, anything else waits.
local function state(at, slot, stype)
  local s = redis.call('HMGET', at, 'state', 'host', 'token', 'type', 'score')
  local held = (s[2] or '') ~= '' and (s[3] or '') ~= ''
  local word, fits = s[1], s[1] == 'assigned' or s[1] == 'running' or s[1] == 'stopping'
  if s[1] ~= 'pending' and not fits then word = held and 'running' or 'pending' end
  if fits and not held then word = 'pending' end
  if stype == '' then stype = s[4] or string.match(slot, '^(.-)~next$') or slot end
  if s[4] ~= stype then redis.call('HSET', at, 'type', stype) end
  if word ~= s[1] or word == 'pending' and ((s[2] or '') ~= '' or (s[3] or '') ~= '') then
    redis.call('HSET', at, 'state', word)
    if word == 'pending' then redis.call('HSET', at, 'host', '', 'token', '') end
    right(1)
  end
  return word, s[2], stype, stamp(s[5])
end

local function mend(at, slot, known)
  local word, host, stype, rank = state(at, slot, known or '')
  local member, queue = key .. '|' .. slot, ns .. 'pending:' .. stype
  if not known then redis.call('HSET', stream, 'slot:' .. slot, stype) end
  once(ns .. 'types:wanted', stype)
  if word == 'assigned' then
    right(redis.call('ZADD', ns .. 'outbox', 'NX', int(now), member))
  else
    right(redis.call('ZREM', ns .. 'outbox', member))
  end
  if word == 'pending' then
    if redis.call('ZADD', queue, 'NX', int(rank or now), member) == 1 then
      right(1)
      wake('pending ' .. stype)
    end
    return
  end
  right(redis.call('ZREM', queue, member))
  if redis.call('SADD', ns .. 'slots:' .. host, stype .. '|' .. member) == 1 then
    right(1)
    atleast(stype, host)
    bump(host)
  end
  if once(ns .. 'hosts', host) then leased(host) end
  holders[#holders + 1] = { stype, host }
end

local known, slots = {}, {}
local fields = sound(stream) and redis.call('HGETALL', stream) or {}
for i = 1, #fields, 2 do
  local slot = string.match(fields[i], '^slot:(.+)$')
  if slot then
    known[slot] = fields[i + 1]
    slots[#slots + 1] = slot
  end
end
local given = {}
for i = 0, n - 1 do
  local slot = ARGV[FIRST + 2 * i]
  given[slot] = ARGV[FIRST + 2 * i + 1]
  if not known[slot] then slots[#slots + 1] = slot end
end
for _, slot in ipairs(slots) do
  local at = stream .. ':' .. slot
  if sound(at) then
    mend(at, slot, known[slot])
  else
    if known[slot] then
      redis.call('HDEL', stream, 'slot:' .. slot)
      look = true
    end
    local stype = known[slot] or given[slot]
    if stype ~= '' then right(redis.call('ZREM', ns .. 'pending:' .. stype, key .. '|' .. slot)) end
    right(redis.call('ZREM', ns .. 'outbox', key .. '|' .. slot))
  end
end
if redis.call('EXISTS', stream) == 1 then
  right(redis.call('ZADD', ns .. 'streams', 0, key))
else
  right(redis.call('ZREM', ns .. 'streams', key))
end
if look then mark(key) end
if mended > 0 then event('mended', key, '', '', '', because('mended-slots', 'entries', int(mended))) end
return { 'ok', mended, holders }
