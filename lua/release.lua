-- release: the host gives a slot back; its children are gone. What is still
-- wanted goes back in line, and this host is avoided for a while if it failed.
-- A host that failed may ask to give up only if that helps: if another host
-- has room and the slot has not failed on two hosts already.
-- KEYS: none. Touches reaper, host:<host>, stream:<key>, stream:<key>:<slot>, pending:<type>,
--   outbox, slots:<host>, service:<type>:<host>, load:<type>:<class>, dirty,
--   streams, hosts:lease, events.
-- ARGV: ns, actor, key, slot, type, host, token, incarnation, reason, avoid (ms, 0
--   for none), only_if_room (1 or 0), n, n classes that may take it.
-- RETURN: {'ok', 'pending' | 'gone'} | {'stale'} (not this host's any more) |
--   {'stay'} (nowhere better to go) | {'hold', reason} (giving up must wait).
-- TWICE: the token is gone after the first: 'stale'.
local ns, actor, key, slot, stype, host, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local incarnation, reason, avoid, only_if_room, n = ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11] == '1', tonumber(ARGV[12])
local FIRST = 13
-- include: now
-- include: hold
-- include: event
-- include: dirty
-- include: index
-- include: account
-- include: slot

local at = ns .. 'stream:' .. key .. ':' .. slot
local s = redis.call('HMGET', at, 'state', 'host', 'token', 'avoid')
if s[2] ~= host or s[3] ~= token or redis.call('HGET', ns .. 'host:' .. host, 'incarnation') ~= incarnation then
  return { 'stale' }
end

local avoided, failed, keep = { [host] = true }, 0, {}
for other, till in string.gmatch(s[4] or '', '(%S+)=(%d+)') do
  if tonumber(till) > now and other ~= host then
    avoided[other], failed, keep[#keep + 1] = true, failed + 1, other .. '=' .. till
  end
end

-- room tells whether a service of the class has a seat for it elsewhere.
local function room(class)
  local rows = redis.call('ZRANGE', ns .. 'load:' .. stype .. ':' .. class, '-inf', '1000000', 'BYSCORE', 'LIMIT', 0, failed + 2)
  for _, other in ipairs(rows) do
    if not avoided[other] and (tonumber(redis.call('ZSCORE', ns .. 'hosts:lease', other)) or 0) > now then return true end
  end
  return false
end

if only_if_room and s[1] ~= 'stopping' then
  local why = held()
  if why then return { 'hold', why } end
  if failed >= 1 then return { 'stay' } end
  local found = false
  for i = 0, n - 1 do found = found or room(ARGV[FIRST + i]) end
  if not found then return { 'stay' } end
end

give_back(stype, key, slot, host)
event('released', key, slot, host, token, reason)
if s[1] == 'stopping' then
  forget(stype, key, slot)
  wake('dirty')
  return { 'ok', 'gone' }
end
if avoid > 0 then
  keep[#keep + 1] = host .. '=' .. int(now + avoid)
  redis.call('HSET', at, 'avoid', table.concat(keep, ' '))
end
requeue(stype, key, slot, reason)
return { 'ok', 'pending' }
