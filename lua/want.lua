-- want: makes the record of a stream what its sources and its operators say,
-- and clears the mark that asked for it. One call does both, and only if
-- nobody marked the stream again since the caller read what they say. In a hold
-- nothing is unwanted: who speaks first may not be who has the last word. What
-- would be is looked at again when the hold is over.
-- KEYS: none. Touches reaper, dirty, requeue, types:wanted, stream:<key>, stream:<key>:<slot>, streams, moves,
--   pending:<type>, outbox, slots:<host>, service:<type>:<host>,
--   load:<type>:<class>, host:<host>, events.
-- ARGV: ns, actor, key, mark (the score read from dirty), wanted (1 or 0), held
--   (1 or 0), adds (1: what is said does not all read, so slots are only added),
--   chain (JSON), priority, n, n slots of the chain in order, m, m
--   pairs of field and value (source, source:<var>, user values, sys:<name>).
--   A shadow slot whose move nobody remembers is not wanted.
-- RETURN: {'stale'} | {'ok', rows of stop commands, rows of update commands};
--   a row is {key, slot, type, host, token}.
-- TWICE: the mark is gone after the first: 'stale'.
local ns, actor, key, number, wanted, heldback = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1', ARGV[6] == '1'
local adds, chain, priority, n = ARGV[7] == '1', ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local FIRST = 11
-- include: now
-- include: hold
-- include: event
-- include: dirty
-- include: index
-- include: account
-- include: slot

local dirty, stream = ns .. 'dirty', ns .. 'stream:' .. key
if tonumber(redis.call('ZSCORE', dirty, key)) ~= tonumber(number) then return { 'stale' } end

sound(stream)
local existing, fields, known = {}, {}, redis.call('HGETALL', stream)
for i = 1, #known, 2 do
  local slot = string.match(known[i], '^slot:(.+)$')
  if slot then existing[slot] = known[i + 1] else fields[known[i]] = known[i + 1] end
end

-- matters tells whether the hosts that run the stream's slots have to know.
-- The chain and the priority are no business of theirs, and of what the system
-- remembers only these two.
local function matters(field)
  if field == 'sys:away' or field == 'sys:session' then return true end
  return field ~= 'chain' and field ~= 'priority' and string.sub(field, 1, 4) ~= 'sys:'
end

local stops, updates, inchain = {}, {}, {}
local hold, till = held()
local postponed = hold and (heldback or not wanted)
if wanted then
  local was = fields.key
  local fresh, changed = { key = key, chain = chain, priority = int(priority) }, false
  if heldback then fresh['sys:held'] = '1' end
  local at = FIRST + n
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
    local slot = ARGV[FIRST + i]
    redis.call('SADD', ns .. 'types:wanted', slot)
    inchain[slot] = not heldback
    local record = stream .. ':' .. slot
    sound(record)
    local s = redis.call('HMGET', record, 'state', 'host', 'token', 'born', 'score')
    local rank = int((899 - priority) * 10000000000000 + (stamp(s[4]) or now))
    if heldback then
      -- An operator holds the stream back: nothing is wanted of it now.
    elseif not s[1] then
      redis.call('HSET', record, 'state', 'pending', 'type', slot, 'host', '', 'token', '', 'born', int(now),
        'since', int(now), 'score', rank, 'reason', '', 'restarts', '0')
      redis.call('HSET', stream, 'slot:' .. slot, slot)
      redis.call('ZADD', ns .. 'pending:' .. slot, rank, key .. '|' .. slot)
    else
      if not existing[slot] then redis.call('HSET', stream, 'slot:' .. slot, slot) end -- the record was lost
      if s[5] ~= rank then redis.call('HSET', record, 'score', rank) end
      if s[1] == 'pending' then redis.call('ZADD', ns .. 'pending:' .. slot, rank, key .. '|' .. slot) end
      if changed and s[1] == 'running' then
        bump(s[2])
        updates[#updates + 1] = { key, slot, slot, s[2], s[3] }
      end
    end
  end
elseif fields.key and not fields['sys:gone'] and not hold then
  redis.call('HSET', stream, 'sys:gone', int(now))
  event('gone', key, '', '', '', '')
end

for slot, stype in pairs(existing) do
  local own = string.match(slot, '^(.-)~next$') or slot
  local orphan = own ~= slot and redis.call('HEXISTS', ns .. 'moves', key .. '|' .. own) == 0
  if not orphan and (inchain[own] or adds and not heldback) then
    -- It stays.
  elseif hold then
    postponed = true
  else
    local why = not wanted and because('ended') or heldback and because('held')
      or orphan and because('move-over') or because('not-in-chain')
    sound(stream .. ':' .. slot)
    local row = unwant(stype, key, slot, why)
    if row then stops[#stops + 1] = row end
  end
end

-- unwant marks the stream again for what it forgot; this very look is the
-- answer to that, so the mark goes whatever it is now.
redis.call('ZREM', dirty, key)
if postponed then redis.call('ZADD', ns .. 'requeue', int(till or now + 1000), key) end
if not wanted and not hold and redis.call('EXISTS', stream) == 1 then
  local left = false
  for _, field in ipairs(redis.call('HKEYS', stream)) do left = left or string.sub(field, 1, 5) == 'slot:' end
  if not left then
    redis.call('DEL', stream)
    redis.call('ZREM', ns .. 'streams', key)
  end
end
return { 'ok', stops, updates }
