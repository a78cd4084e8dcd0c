-- evict: has the runner of an instance stop its child and give the slot back, so that
-- it is placed elsewhere. Unless forced, only if there is room elsewhere, beside
-- what others need that were asked to leave and have no place yet; what is pinned
-- has nowhere to go but to its pin.
-- KEYS: none. Touches reaper, moves, stream:<key>:<slot>, stream:<key>:<instance>, override:<key>, host:<host>,
--   hosts:lease, slots:<host>, load:<type>:<class>, service:<type>:<host>, events.
-- ARGV: ns, actor, key, instance, type, token, target (a host, '*' for any other),
--   word (1: whether or not, 0: if there is room, look: only tell that), n, n classes that may take it.
-- RETURN: {'ok', host} | {'stay'} (no room elsewhere) | {'wait'} (what room
--   there is, others were promised) | {'stale'} | {'hold', reason}.
-- TWICE: the field move is set already: 'ok'.
local ns, actor, key, instance, stype, token, target = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local word, n = ARGV[8], tonumber(ARGV[9])
local force = word == '1'
local FIRST = 10
-- include: now
-- include: hold
-- include: event
-- include: lead
-- include: split
-- include: room
-- include: pin
-- include: siblings

local why = held()
if why then return { 'hold', why } end
local at = ns .. 'stream:' .. key .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'host', 'token', 'avoid', 'move', 'apart', 'only', 'anyway')
if s[1] ~= 'running' or s[3] ~= token then return { 'stale' } end
if s[5] then return { 'ok', s[2] } end
if s[7] then return { 'stay' } end

local avoided, failed = { [s[2]] = true }, 1
for other, till in string.gmatch(s[4] or '', '(%S+)=(%d+)') do
  if tonumber(till) > now and other ~= s[2] then avoided[other], failed = true, failed + 1 end
end
if s[6] then
  local host = spared(s[8])
  local free = host and not avoided[host]
  failed = avoid_copies(key, instance, s[6], avoided, failed)
  if free then avoided[host] = false end -- beside other copies, as an operator said
end
-- promised counts the slots that were asked to leave their hosts and have no place
-- yet: each will take room that is still free. One of a type that shares a pool with
-- this one takes as much of it as so many of this type, by what both use on this host.
local function promised()
  local count, own = 0, member(key, instance)
  local uses = amounts(redis.call('HGET', ns .. 'service:' .. stype .. ':' .. s[2], 'uses'))
  local function weight(other)
    if other == stype then return 1 end
    local most, amount = 0, amounts(redis.call('HGET', ns .. 'service:' .. other .. ':' .. s[2], 'uses'))
    for pool, n in pairs(uses or {}) do
      if n > 0 and amount and amount[pool] then most = math.max(most, math.ceil(amount[pool] / n)) end
    end
    return most
  end
  for _, line in ipairs(redis.call('HKEYS', ns .. 'moves')) do
    local k, other = split_member(line)
    if k and line ~= own then
      local o = redis.pcall('HMGET', ns .. 'stream:' .. k .. ':' .. other, 'state', 'move', 'type', 'with')
      if o[3] and not o[4] and (o[1] == 'pending' or o[1] == 'running' and o[2]) then count = count + weight(o[3]) end
    end
  end
  return count
end

local pin, found = pinned(key, instance), force
local only = target ~= '*' and target or pin
if not force and not only then
  local others, free = promised(), 0
  for i = 0, n - 1 do
    if free > others then break end
    free = free + room(stype, ARGV[FIRST + i], avoided, failed, others + 1 - free)
  end
  if free > 0 and free <= others then return { 'wait' } end
  found = free > 0
end
for i = 0, n - 1 do
  if found or not only then break end
  found = (not pin or pin == only) and room_on(only, stype, ARGV[FIRST + i], avoided)
end
if not found then return { 'stay' } end
if word == 'look' then return { 'ok', s[2] } end
redis.call('HSET', at, 'move', target)
bump(s[2])
event('moving', key, called(key, instance), s[2], token, target == '*' and '' or because('move-to', 'host', target))
return { 'ok', s[2] }
