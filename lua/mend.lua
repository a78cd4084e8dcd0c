-- mend: makes what is derived of a stream's instances agree with their records,
-- whatever a hand, half a script or a restore took from it: what waits is in
-- line, what is placed is in the outbox, what holds capacity is in slots:<host>,
-- and its host has a lease to lapse; the slot knows its instances, its lead, and
-- what that publishes. It takes nothing back; the reaper does, of hosts whose lease
-- lapsed, by its own rules and holds.
-- KEYS: none. Touches stream:<key>, stream:<key>:<slot>, stream:<key>:<instance>, streams, types:wanted,
--   pending:<type>, outbox, slots:<host>, service:<type>:<host>, load:<type>:<class>, host:<host>, hosts,
--   hosts:lease, dirty, requeue, jobs, events.
-- ARGV: ns, actor, key, ttl (longest lease known, ms), look (1: have the stream
--   looked at again, its mark may be lost), n, n pairs of instance and type ('':
--   not known) that may have a record besides those the stream knows, or of a slot and ''.
-- RETURN: {'ok', corrections, rows of what holds capacity}; a row is {type, host}.
-- TWICE: the second finds nothing to correct.
local ns, actor, key, ttl, look, n = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1', tonumber(ARGV[6])
local FIRST = 7
-- include: now
-- include: event
-- include: dirty
-- include: index
-- include: leases
-- include: lead
-- include: sidecars

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
local function state(at, instance, stype)
  local s = redis.call('HMGET', at, 'state', 'host', 'token', 'type', 'score', 'with', 'booked', 'copy')
  local held = (s[2] or '') ~= '' and (s[3] or '') ~= ''
  local word, stands = s[1], s[1] == 'assigned' or s[1] == 'running' or s[1] == 'stopping'
  local rests = s[1] == 'failed' and is_job(instance) and not held
  if s[1] ~= 'pending' and not stands and not rests then word = held and 'running' or 'pending' end
  if stands and not held then word = 'pending' end
  if stype == '' then stype = s[4] or redis.call('HGET', stream .. ':' .. slot_of(instance), 'type') or slot_of(instance) end
  if s[4] ~= stype then redis.call('HSET', at, 'type', stype) end
  if word ~= s[1] or word == 'pending' and ((s[2] or '') ~= '' or (s[3] or '') ~= '') then
    redis.call('HSET', at, 'state', word)
    if word == 'pending' then redis.call('HSET', at, 'host', '', 'token', '') end
    right(1)
  end
  return word, s[2], stype, stamp(s[5]), s[6], s[7], s[8]
end

-- booking keeps what is booked for a sidecar where its target is, and the row of it.
local function booking(at, stype, instance, with, booked, copy)
  for name in instances_of(key, with or '') do
    local v = redis.call('HMGET', stream .. ':' .. name, 'host', 'copy')
    if v[1] == booked and (v[2] or '1') == (copy or '1') then
      local row = redis.call('ZADD', ns .. 'slots:' .. booked, 0, beside_row(stype, key, instance))
      if row == 1 then counted(stype, booked) end
      return right(row)
    end
  end
  redis.call('HDEL', at, 'booked')
  right(1)
end

local function mend(at, instance, known)
  local word, host, stype, rank, with, booked, copy = state(at, instance, known or '')
  if booked then booking(at, stype, instance, with, booked, copy) end
  local line, queue = member(key, instance), ns .. 'pending:' .. stype
  if not known then
    enlist(stype, key, instance)
    right(1)
  end
  once(ns .. 'types:wanted', stype)
  if word == 'assigned' then
    right(redis.call('ZADD', ns .. 'outbox', 'NX', int(now), line))
  else
    right(redis.call('ZREM', ns .. 'outbox', line))
  end
  if is_job(instance) then right(redis.call('ZADD', ns .. 'jobs', 'NX', int(now), line)) end
  if word == 'failed' then return right(redis.call('ZREM', queue, line)) end
  if word == 'pending' then
    if redis.call('ZADD', queue, 'NX', int(rank or is_job(instance) and JOBS + now or now), line) == 1 then
      right(1)
      wake('pending ' .. stype)
    end
    return
  end
  right(redis.call('ZREM', queue, line))
  if redis.call('ZADD', ns .. 'slots:' .. host, 0, (with and beside_row or row_of)(stype, key, instance)) == 1 then
    right(1)
    if with then counted(stype, host) else atleast(stype, host) end
    index(stype, host)
    bump(host)
  end
  if once(ns .. 'hosts', host) then leased(host) end
  if not with then holders[#holders + 1] = { stype, host } end
end

-- derive makes a slot agree with its instances.
local function derive(slot, list)
  local at, before = stream .. ':' .. slot, {}
  local function seen()
    local s = redis.call('HMGET', at, 'type', 'lead', 'state', 'host', 'instances')
    return table.concat({ s[1] or '', s[2] or '', s[3] or '', s[4] or '', s[5] or '' }, ' ')
  end
  sound(at)
  before = seen()
  -- Without a list it is made anew, of those that are there.
  local names, there = {}, {}
  for _, v in ipairs(list) do there[v.name] = v.type end
  for name in instances_of(key, slot) do
    if there[name] then names[#names + 1] = name end
    if there[name] then there[name] = nil end
  end
  for _, v in ipairs(list) do
    if there[v.name] then names[#names + 1] = v.name end
  end
  redis.call('HSET', at, 'type', list[#list].type, 'instances', table.concat(names, ' '))
  for _, v in ipairs(list) do
    if number_of(v.name) > (stamp(redis.call('HGET', stream, 'last:' .. slot)) or 0) then
      redis.call('HSET', stream, 'last:' .. slot, int(number_of(v.name)))
    end
    local own = stream .. ':' .. v.name
    local follows = redis.call('HGET', own, 'follows')
    local alone = redis.call('HGET', own, 'alone')
    if #names == 1 and not alone then right(redis.call('HSET', own, 'alone', '1'))
    elseif #names > 1 and alone then right(redis.call('HDEL', own, 'alone')) end
    if follows and redis.call('EXISTS', stream .. ':' .. follows) == 0 then redis.call('HDEL', own, 'follows', 'off') end
  end
  settle(key, slot, because('lead-lost'))
  local lead = redis.call('HGET', at, 'lead')
  local vars, any = variables(stream .. ':' .. lead)
  if any and replace(at, vars) then
    dependants(key, slot)
    wake('vars ' .. key)
    right(1)
  elseif seen() ~= before then
    right(1)
  end
end

local known, names = {}, {}
local fields = sound(stream) and redis.call('HGETALL', stream) or {}
for i = 1, #fields, 2 do
  local instance = string.match(fields[i], '^instance:(.+)$')
  if instance and slot_of(instance) then
    known[instance] = fields[i + 1]
    names[#names + 1] = instance
  end
end
local given, hashes = {}, {}
for i = 0, n - 1 do
  local name = ARGV[FIRST + 2 * i]
  given[name] = ARGV[FIRST + 2 * i + 1]
  if not slot_of(name) then hashes[#hashes + 1] = name
  elseif not known[name] then names[#names + 1] = name end
end
table.sort(names)
local slots, order, wanted = {}, {}, {}
for _, instance in ipairs(names) do
  local at, slot = stream .. ':' .. instance, slot_of(instance)
  if not is_job(instance) then wanted[slot] = wanted[slot] or known[instance] end
  if sound(at) then
    mend(at, instance, known[instance])
    if not is_job(instance) then
      if not slots[slot] then
        slots[slot] = {}
        order[#order + 1] = slot
      end
      table.insert(slots[slot], { name = instance, type = redis.call('HGET', at, 'type') })
    end
  elseif is_job(instance) then
    if known[instance] then right(redis.call('HDEL', stream, 'instance:' .. instance)) end
    right(redis.call('ZREM', ns .. 'jobs', member(key, instance)))
  else
    -- Its name stays, so that who wants it makes it anew under it, and its holder finds it.
    if known[instance] then look = true end
    local stype = known[instance] or given[instance]
    if stype ~= '' then right(redis.call('ZREM', ns .. 'pending:' .. stype, member(key, instance))) end
    right(redis.call('ZREM', ns .. 'outbox', member(key, instance)))
  end
end
for _, slot in ipairs(order) do derive(slot, slots[slot]) end
for _, slot in ipairs(hashes) do -- a slot that has no instance any more
  if not slots[slot] and not wanted[slot] then right(redis.call('DEL', stream .. ':' .. slot)) end
end
if redis.call('EXISTS', stream) == 1 then
  right(redis.call('ZADD', ns .. 'streams', 0, key))
else
  right(redis.call('ZREM', ns .. 'streams', key))
end
if look then mark(key) end
if mended > 0 then event('mended', key, '', '', '', because('mended-slots', 'entries', int(mended))) end
return { 'ok', mended, holders }
