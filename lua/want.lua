-- want: makes the record of a stream what its sources and its operators say,
-- and clears the mark that asked for it. One call does both, and only if
-- nobody marked the stream again since the caller read what they say. In a hold
-- nothing is unwanted: who speaks first may not be who has the last word. What
-- would be is looked at again when the hold is over.
-- KEYS: none. Touches reaper, dirty, requeue, types:wanted, stream:<key>, stream:<key>:<slot>,
--   stream:<key>:<instance>, streams, moves, pending:<type>, outbox, slots:<host>,
--   service:<type>:<host>, load:<type>:<class>, host:<host>, events.
-- ARGV: ns, actor, key, mark (the score read from dirty), wanted (1 or 0), held
--   (1 or 0), adds (1: what is said does not all read, so slots are only added),
--   chain (JSON), priority, n, n pairs of slot and type in the order of the chain, m, m
--   pairs of field and value (source, source:<var>, user values, sys:<name>).
--   A slot has one instance, and one more while a move of it is under way.
-- RETURN: {'stale'} | {'ok', rows of stop commands, rows of update commands};
--   a row is {key, instance, type, host, token}.
-- TWICE: the mark is gone after the first: 'stale'.
local ns, actor, key, number, wanted, heldback = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1', ARGV[6] == '1'
local adds, chain, priority, n = ARGV[7] == '1', ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local FIRST = 11
-- include: now
-- include: hold
-- include: event
-- include: index
-- include: account
-- include: slot

local dirty, stream = ns .. 'dirty', ns .. 'stream:' .. key
if tonumber(redis.call('ZSCORE', dirty, key)) ~= tonumber(number) then return { 'stale' } end

-- instances of a slot, by what the stream says and, if that was lost, the slot.
sound(stream)
local existing, fields, known = {}, {}, redis.call('HGETALL', stream)
local function add(slot, instance, stype)
  existing[slot] = existing[slot] or {}
  table.insert(existing[slot], { name = instance, type = stype })
end
for i = 1, #known, 2 do
  local instance = string.match(known[i], '^instance:(.+)$')
  if instance and slot_of(instance) then
    add(slot_of(instance), instance, known[i + 1])
  elseif not string.match(known[i], '^last:') then
    fields[known[i]] = known[i + 1]
  end
end
local function recover(slot)
  for instance in instances_of(key, slot) do
    local own = stream .. ':' .. instance
    local stype = slot_of(instance) == slot and sound(own) and redis.call('HGET', own, 'type')
    if stype then
      enlist(stype, key, instance)
      add(slot, instance, stype)
    end
  end
end

-- matters tells whether the hosts that run the stream's slots have to know.
-- The chain and the priority are no business of theirs, and of what the system
-- remembers only these two.
local function matters(field)
  if field == 'sys:away' or field == 'sys:session' then return true end
  return field ~= 'chain' and field ~= 'priority' and string.sub(field, 1, 4) ~= 'sys:'
end

local stops, updates, kept = {}, {}, {}
local hold, till = held()
local postponed = hold and (heldback or not wanted)

local function line(instance, stype, rank)
  redis.call('ZADD', ns .. 'pending:' .. stype, rank, member(key, instance))
end

-- create makes the record of an instance, anew if it was lost.
local function create(slot, instance, stype, rank)
  redis.call('HSET', stream .. ':' .. instance, 'state', 'pending', 'type', stype, 'host', '', 'token', '', 'born', int(now),
    'since', int(now), 'score', rank, 'reason', '', 'restarts', '0', 'copy', '1')
  enlist(stype, key, instance)
  mirror(key, slot, instance, false, 'pending', '')
  line(instance, stype, rank)
end

-- keep chooses which instance of a slot is the one that is wanted: one that is ready,
-- then the one that leads, then one that runs. What follows it is wanted as long as
-- its move is.
local function keep(slot, stype, list)
  local at = stream .. ':' .. slot
  local lead, best, most = redis.call('HGET', at, 'lead'), nil, -9
  if not lead then -- the slot was lost
    for _, v in ipairs(list) do enlist(v.type, key, v.name) end
    settle(key, slot, because('lead-lost'))
    lead = redis.call('HGET', at, 'lead')
    local vars, any = variables(stream .. ':' .. lead)
    if any then replace(at, vars) end
  end
  for _, v in ipairs(list) do
    local own = stream .. ':' .. v.name
    v.s = sound(own) and redis.call('HMGET', own, 'state', 'host', 'token', 'born', 'score', 'follows', 'phase', 'up') or {}
    if v.type == stype and v.s[1] ~= 'stopping' then
      local value = ready(own, { v.s[1], v.s[7], v.s[8] }, {}) and 8 or 0
      if v.s[6] and redis.call('HEXISTS', ns .. 'moves', member(key, v.s[6])) == 1 then value = -8 end
      if v.name == lead then value = value + 4 end
      if v.s[1] == 'running' then value = value + 2 elseif v.s[1] == 'assigned' then value = value + 1 end
      if value > most then best, most = v.name, value end
    end
  end
  for _, v in ipairs(list) do
    local moving = v.s[6] and v.s[6] == best and redis.call('HEXISTS', ns .. 'moves', member(key, best)) == 1
    if v.name == best or v.type == stype and moving then kept[v.name] = true end
  end
end

if wanted then
  local was = fields.key
  local fresh, changed = { key = key, chain = chain, priority = int(priority) }, false
  if heldback then fresh['sys:held'] = '1' end
  local at = FIRST + 2 * n
  for i = 1, tonumber(ARGV[at]) do fresh[ARGV[at + 2 * i - 1]] = ARGV[at + 2 * i] end
  for field, value in pairs(fresh) do
    if fields[field] ~= value then
      redis.call('HSET', stream, field, value)
      changed = changed or matters(field)
    end
  end
  for field in pairs(fields) do
    if not fresh[field] then
      redis.call('HDEL', stream, field)
      changed = changed or matters(field)
    end
  end
  if adds and fields['sys:reason'] ~= fresh['sys:reason'] then event('nonsense', key, '', '', '', fresh['sys:reason'] or '') end
  redis.call('ZADD', ns .. 'streams', 0, key)
  if not was then event('appeared', key, '', '', '', fresh.source and because('source', 'source', fresh.source) or '') end

  for i = 0, n - 1 do
    local slot, stype = ARGV[FIRST + 2 * i], ARGV[FIRST + 2 * i + 1]
    redis.call('SADD', ns .. 'types:wanted', stype)
    if not existing[slot] then recover(slot) end
    if heldback then
      -- An operator holds the stream back: nothing is wanted of it now.
    elseif existing[slot] then
      keep(slot, stype, existing[slot])
      for _, v in ipairs(existing[slot]) do
        local s, record = v.s, stream .. ':' .. v.name
        local rank = int((899 - priority) * 10000000000000 + (stamp(s[4]) or now))
        if not s[1] then
          if kept[v.name] then create(slot, v.name, v.type, rank) end
        else
          if s[5] ~= rank then redis.call('HSET', record, 'score', rank) end
          if s[1] == 'pending' then line(v.name, v.type, rank) end
        end
        if changed and s[1] == 'running' then
          bump(s[2])
          updates[#updates + 1] = { key, v.name, v.type, s[2], s[3] }
        end
      end
      if existing[slot][2] then
        for _, row in ipairs(settle(key, slot, because('lead-unready'))) do updates[#updates + 1] = row end
      end
    end
  end
elseif fields.key and not fields['sys:gone'] and not hold then
  redis.call('HSET', stream, 'sys:gone', int(now))
  event('gone', key, '', '', '', '')
end

local inchain = {}
for i = 0, n - 1 do inchain[ARGV[FIRST + 2 * i]] = ARGV[FIRST + 2 * i + 1] end
for slot, list in pairs(existing) do
  local lead, ending = redis.call('HGET', stream .. ':' .. slot, 'lead'), {}
  for _, v in ipairs(list) do
    if kept[v.name] or adds and not heldback then
      -- It stays.
    elseif hold then
      postponed = true
    else
      table.insert(ending, v.name == lead and #ending + 1 or 1, v) -- who leads goes last
    end
  end
  for _, v in ipairs(ending) do
    local why = not wanted and because('ended') or heldback and because('held')
      or not inchain[slot] and because('not-in-chain')
      or inchain[slot] ~= v.type and because('other-type', 'type', inchain[slot]) or because('too-many')
    sound(stream .. ':' .. v.name)
    local row = unwant(v.type, key, v.name, why)
    if row then stops[#stops + 1] = row else v.gone = true end
  end
end

for i = 0, wanted and not heldback and n - 1 or -1 do
  local slot, there = ARGV[FIRST + 2 * i], false
  for _, v in ipairs(existing[slot] or {}) do there = there or not v.gone end
  if not there then
    local last = stamp(redis.call('HGET', stream, 'last:' .. slot)) or 0
    create(slot, slot .. '.' .. int(last + 1), ARGV[FIRST + 2 * i + 1], int((899 - priority) * 10000000000000 + now))
  end
end

-- unwant marks the stream again for what it forgot. This very look is the
-- answer to that, so the mark goes whatever it is now.
redis.call('ZREM', dirty, key)
if postponed then again(key, till or now + 1000) end
if not wanted and not hold and redis.call('EXISTS', stream) == 1 then
  local left = false
  for _, field in ipairs(redis.call('HKEYS', stream)) do left = left or string.sub(field, 1, 9) == 'instance:' end
  if not left then
    redis.call('DEL', stream)
    redis.call('ZREM', ns .. 'streams', key)
  end
end
return { 'ok', stops, updates }
