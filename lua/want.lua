-- want: makes the record of a stream what its sources and its operators say,
-- and clears the mark that asked for it. One call does both, and only if
-- nobody marked the stream again since the caller read what they say. In a hold
-- nothing is unwanted: who speaks first may not be who has the last word. What
-- would be is looked at again when the hold is over.
-- KEYS: none. Touches reaper, dirty, requeue, types:wanted, stream:<key>, stream:<key>:<slot>,
--   stream:<key>:<instance>, streams, moves, pending:<type>, outbox, slots:<host>,
--   service:<type>:<host>, load:<type>:<class>, host:<host>, jobs, events.
-- ARGV: ns, actor, key, mark (the score read from dirty), wanted (1 or 0), held
--   (1 or 0), adds (1: what is said does not all read, so slots are only added),
--   chain (JSON), priority, n, n rows of slot, type, copies, apart (what these never
--   share: host, or '') and each ('', or of a slot of which each host has one: the word each, then
--   +<host> for those that are to have theirs, =<host> for those that keep it) and with (the slot whose sidecar it is, or '') in the order of the chain, m, m
--   pairs of field and value (items, source, source:<var>, user values, sys:<name>).
--   A slot has as many instances as copies, and one more of each while a move of it is under way.
-- RETURN: {'stale'} | {'ok', rows of stop commands, rows of update commands, rows of copies that are to move away
--   from others that they are apart from}; a row is {key, instance, type, host, token}, of the last besides who is there.
-- TWICE: the mark is gone after the first: 'stale'.
local ns, actor, key, number, wanted, heldback = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1', ARGV[6] == '1'
local adds, chain, priority, n = ARGV[7] == '1', ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local FIRST, WIDTH = 11, 6
-- include: now
-- include: hold
-- include: event
-- include: index
-- include: account
-- include: slot
-- include: siblings

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
  if instance and is_job(instance) then
    -- What comes after is no business of what is wanted.
  elseif instance and slot_of(instance) then
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

-- rank is an instance's place in line: by priority, then age; second copies behind all
-- first ones of their priority.
local function rank(copy, born)
  return int((899 - priority) * 10000000000000 + (copy > 1 and 5000000000000 or 0) + born)
end

-- create makes the record of an instance, anew if it was lost.
local function create(slot, instance, w, copy)
  local at, place = stream .. ':' .. instance, rank(copy, now)
  redis.call('HSET', at, 'state', 'pending', 'type', w.type, 'host', '', 'token', '', 'born', int(now),
    'since', int(now), 'score', place, 'reason', '', 'restarts', '0', 'copy', int(copy))
  for field, value in pairs({ apart = w.apart, with = w.with, sidecars = w.sidecars }) do
    if value ~= '' then redis.call('HSET', at, field, value) end
  end
  if host_of(instance) then redis.call('HSET', at, 'only', host_of(instance)) end
  enlist(w.type, key, instance)
  mirror(key, slot, instance, false, 'pending', '')
  line(instance, w.type, place)
end

-- worth orders the instances of a slot by who stays: one that is ready, then the one
-- that leads, then one that runs; those that wait go first.
local function worth(at, v, lead)
  local state, value = v.s[1], ready(at, { v.s[1], v.s[7], v.s[8] }, {}) and 8 or 0
  if v.name == lead then value = value + ((state == 'running' or state == 'assigned') and 4 or 0.5) end
  if state == 'running' then value = value + 2 elseif state == 'assigned' then value = value + 1 end
  return value
end

-- FOLLOWS is for how long a sidecar that is to start first has time to follow its target, ms.
local FOLLOWS = 20000

-- LINGER is for how long one copy too many goes on while not all that stay run, ms.
local LINGER = 60000

-- linger has what runs and is one too many go on until all that stay run, for a while.
local function linger(at, all, extra)
  local since = stamp(redis.call('HGET', at, 'fewer'))
  local lingers = false
  for _, v in ipairs(extra) do
    if v.s[1] == 'running' and not all and now < (since or now) + LINGER then
      kept[v.name], lingers = v, true
    end
  end
  if lingers then
    if not since then redis.call('HSET', at, 'fewer', int(now)) end
    again(key, now + 1000)
  elseif since then
    redis.call('HDEL', at, 'fewer')
  end
end

-- theirs tells which instances of a slot are wanted of which each host has one. Those of
-- another form are too many as soon as each that is to be there runs.
local function theirs(at, w, able, others)
  local there, all = {}, true
  for _, v in ipairs(able) do
    local host = host_of(v.name)
    if w.each[host] then
      kept[v.name], there[host], v.another, v.copy = v, v, v.copy ~= 1, 1
    end
  end
  for host, word in pairs(w.each) do
    if word == '+' then all = all and there[host] and there[host].s[1] == 'running' end
  end
  linger(at, all, others)
end

-- choose tells which instances of a slot are wanted, by their numbers as copies. What
-- follows one of them is wanted as long as its move is.
local function choose(slot, w, list)
  local at, able, names, behind, others = stream .. ':' .. slot, {}, {}, {}, {}
  local lead = redis.call('HGET', at, 'lead')
  if not lead then -- the slot was lost
    for _, v in ipairs(list) do enlist(v.type, key, v.name) end
    settle(key, slot, because('lead-lost'))
    lead = redis.call('HGET', at, 'lead')
    local vars, any = variables(stream .. ':' .. lead)
    if any then replace(at, vars) end
  end
  for _, v in ipairs(list) do
    local own = stream .. ':' .. v.name
    v.s = sound(own) and redis.call('HMGET', own, 'state', 'host', 'token', 'born', 'score', 'follows', 'phase', 'up', 'copy', 'apart', 'only', 'with', 'sidecars', 'move', 'anyway') or {}
    v.copy, v.worth = tonumber(v.s[9]) or 0, worth(own, v, lead)
    if v.type == w.type and v.s[1] ~= 'stopping' then
      if (host_of(v.name) ~= nil) == (w.each ~= nil) then
        names[v.name] = true
        able[#able + 1] = v
      else
        others[#others + 1] = v
      end
    end
  end
  if w.each then return theirs(at, w, able, others) end
  for i = #able, 1, -1 do
    local v = able[i]
    if v.s[6] and names[v.s[6]] and redis.call('HEXISTS', ns .. 'moves', member(key, v.s[6])) == 1 then
      behind[v.s[6]] = v
      table.remove(able, i)
    end
  end
  table.sort(able, function(a, b)
    if a.worth ~= b.worth then return a.worth > b.worth end
    if a.copy ~= b.copy then return a.copy < b.copy end
    return number_of(a.name) < number_of(b.name)
  end)
  local taken, all = {}, true
  for i, v in ipairs(able) do
    if i > w.copies then break end
    kept[v.name] = v
    all = all and v.s[1] == 'running'
    if v.copy >= 1 and v.copy <= w.copies and not taken[v.copy] then taken[v.copy], v.fits = true, true end
  end
  local free = 1
  for i, v in ipairs(able) do
    if i <= w.copies and not v.fits then
      while taken[free] do free = free + 1 end
      taken[free], v.copy, v.another = true, free, true
    end
    if kept[v.name] and behind[v.name] then
      local next = behind[v.name]
      kept[next.name], next.another, next.copy = next, v.another, v.copy
    end
  end
  for i = w.copies + 1, #able do others[#others + 1] = able[i] end
  linger(at, all and #able >= w.copies, others)
  return taken
end

-- renew makes a record say what its chain does, and puts it into its place in line.
local function renew(v, w, changed)
  local s, record = v.s, stream .. ':' .. v.name
  local place = rank(v.copy, stamp(s[4]) or now)
  if s[5] ~= place then redis.call('HSET', record, 'score', place) end
  if v.another then redis.call('HSET', record, 'copy', int(v.copy)) end
  if (s[12] or '') ~= w.with then convert(v.type, key, v.name, s[2] or '', w.with) end
  for field, pair in pairs({ apart = { s[10], w.apart }, sidecars = { s[13], w.sidecars } }) do
    if pair[2] == '' then
      if pair[1] then redis.call('HDEL', record, field) end
    elseif pair[1] ~= pair[2] then
      redis.call('HSET', record, field, pair[2])
    end
  end
  local only = host_of(v.name)
  if s[11] ~= (only or false) then
    if only then redis.call('HSET', record, 'only', only) else redis.call('HDEL', record, 'only') end
  end
  if s[1] == 'pending' then line(v.name, v.type, place) end
  if (changed or v.another) and s[1] == 'running' then
    bump(s[2])
    updates[#updates + 1] = { key, v.name, v.type, s[2], s[3] }
  end
end

local chained = {}
for i = 0, n - 1 do
  local at = FIRST + WIDTH * i
  local w = { slot = ARGV[at], type = ARGV[at + 1], copies = tonumber(ARGV[at + 2]), apart = ARGV[at + 3], with = ARGV[at + 5], sidecars = '' }
  if ARGV[at + 4] ~= '' then
    w.each = {}
    for word, host in string.gmatch(ARGV[at + 4], '([+=])(%S+)') do w.each[host] = word end
  end
  chained[i + 1] = w
end
for _, target in ipairs(chained) do
  local names = {}
  for _, w in ipairs(chained) do
    if w.with == target.slot then names[#names + 1] = w.slot end
  end
  target.sidecars = table.concat(names, ' ')
end

if wanted then
  local was = fields.key
  local fresh, changed = { key = key, chain = chain, priority = int(priority) }, false
  if heldback then fresh['sys:held'] = '1' end
  local at = FIRST + WIDTH * n
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

  for _, w in ipairs(chained) do
    local slot = w.slot
    redis.call('SADD', ns .. 'types:wanted', w.type)
    if not existing[slot] then recover(slot) end
    if heldback then
      -- An operator holds the stream back: nothing is wanted of it now.
    elseif existing[slot] then
      w.taken = choose(slot, w, existing[slot])
      for _, v in ipairs(existing[slot]) do
        if v.s[1] then renew(v, w, changed) elseif kept[v.name] then create(slot, v.name, w, v.copy) end
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

local inchain, forms = {}, {}
for _, w in ipairs(chained) do inchain[w.slot], forms[w.slot] = w.type, w.each end
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
      or inchain[slot] ~= v.type and because('other-type', 'type', inchain[slot])
      or forms[slot] and host_of(v.name) and because('not-its-host', 'host', host_of(v.name)) or because('too-many')
    sound(stream .. ':' .. v.name)
    local row = unwant(v.type, key, v.name, why)
    if row then stops[#stops + 1] = row else v.gone = true end
  end
  if #ending > 0 and #list > #ending then -- what all of them say is less now
    for _, row in ipairs(dependants(key, slot)) do updates[#updates + 1] = row end
  end
end

-- MOST is how many instances a stream has; what each host has more of is not made.
local MOST, total = 256, 0
for _, list in pairs(existing) do
  for _, v in ipairs(list) do
    if not v.gone then total = total + 1 end
  end
end

-- What still stops of a slot has its place until it is gone.
for _, w in ipairs(wanted and not heldback and chained or {}) do
  local slot, there, mine = w.slot, 0, {}
  for _, v in ipairs(existing[slot] or {}) do
    if not v.gone then mine[v.name] = true end
    if not v.gone and not host_of(v.name) and not (kept[v.name] and v.s[6] and kept[v.s[6]]) then there = there + 1 end
  end
  local hosts = {}
  for host, word in pairs(w.each or {}) do
    if word == '+' and not mine[slot .. '@' .. host] then hosts[#hosts + 1] = host end
  end
  table.sort(hosts)
  for _, host in ipairs(hosts) do
    if total < MOST then
      create(slot, slot .. '@' .. host, w, 1)
      total = total + 1
    end
  end
  for copy = 1, w.copies do
    if w.each or there >= w.copies then break end
    if not (w.taken or {})[copy] then
      local last = stamp(redis.call('HGET', stream, 'last:' .. slot)) or 0
      create(slot, slot .. '.' .. int(last + 1), w, copy)
      there = there + 1
    end
  end
end

-- leave has a sidecar that runs stop where its target is not, to follow it: at once, or
-- where its service says so by a move, once another runs on the right host (nil: there is none).
local function leave(v, w, host)
  local s, line = v.s, member(key, v.name)
  if s[14] or redis.call('HEXISTS', ns .. 'moves', line) == 1 then return end
  local first = redis.call('HGET', ns .. 'service:' .. v.type .. ':' .. s[2], 'handover') == 'start_first'
  if host and first and redis.call('HGET', ns .. 'service:' .. v.type .. ':' .. host, 'state') == 'up' then
    redis.call('HSET', ns .. 'moves', line, table.concat({ s[3], s[2], host, int(now), int(now + FOLLOWS), '0', v.type }, ' '))
    wake('moves')
  else
    redis.call('HSET', stream .. ':' .. v.name, 'move', host or '*')
    bump(s[2])
    updates[#updates + 1] = { key, v.name, v.type, s[2], s[3] }
  end
  event('moving', key, called(key, v.name), s[2], s[3], because('follows', 'slot', w.with))
end

for _, w in ipairs(wanted and not heldback and chained or {}) do
  for _, v in ipairs(w.with ~= '' and existing[w.slot] or {}) do
    if kept[v.name] and v.s[1] == 'running' then
      local host = anchor(key, w.with, int(v.copy))
      if host ~= v.s[2] and hold then postponed = true
      elseif host ~= v.s[2] then leave(v, w, host) end
    end
  end
end

-- PARTS is after how long copies that are together are looked at again, ms.
local PARTS = 5000

-- bidden tells whether an operator lets an instance be where it is beside others.
local function bidden(v) return spared(v.s[15]) == v.s[2] end

-- beside_whom gives the copy that an instance shares a host with, or the value of the label by
-- which they are apart; nil: none. One that stops is as good as gone. unbidden: by nobody's word.
local function beside_whom(v, w, list, unbidden)
  if unbidden and bidden(v) then return nil end
  local value = w.apart ~= 'host' and label(v.s[2], w.apart)
  for _, o in ipairs(list) do
    if o ~= v and (o.s[2] or '') ~= '' and o.s[1] ~= 'stopping' and o.s[6] ~= v.name and v.s[6] ~= o.name
      and not (unbidden and bidden(o)) and (o.s[2] == v.s[2] or value and label(o.s[2], w.apart) == value) then return o end
  end
end

-- What an operator had share a host is so no more once they do not.
for _, w in ipairs(wanted and not heldback and not hold and chained or {}) do
  for _, v in ipairs(existing[w.slot] or {}) do
    if v.s[15] and (w.apart == '' or (v.s[2] or '') ~= '' and not beside_whom(v, w, existing[w.slot]))
      and redis.call('HEXISTS', ns .. 'moves', member(key, v.name)) == 0 and redis.call('HDEL', stream .. ':' .. v.name, 'anyway') == 1 then
      event('apart', key, called(key, v.name), v.s[2], v.s[3], '')
    end
  end
end

-- parting finds the copy of a slot that is to move away from another, as a host told of it after the
-- store was set back, or as the chain or a label is another now: one at a time, who leads last.
local parts = {}
local function parting(w, list)
  local lead, mover, with = redis.call('HGET', stream .. ':' .. w.slot, 'lead'), nil, nil
  for _, v in ipairs(list) do
    local o = kept[v.name] and v.s[1] == 'running' and beside_whom(v, w, list, true)
    if o and (not mover or mover.name == lead or v.name ~= lead and v.copy > mover.copy) then mover, with = v, o end
  end
  if not mover then return end
  if hold then
    postponed = true
    return
  end
  again(key, now + PARTS)
  for _, v in ipairs(list) do
    if v.s[6] or v.s[14] or redis.call('HEXISTS', ns .. 'moves', member(key, v.name)) == 1 then return end
  end
  parts[#parts + 1] = { key, mover.name, mover.type, mover.s[2], mover.s[3], with.name }
end
for _, w in ipairs(wanted and not heldback and chained or {}) do
  if w.apart ~= '' and (existing[w.slot] or {})[2] then parting(w, existing[w.slot]) end
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
return { 'ok', stops, updates, parts }
