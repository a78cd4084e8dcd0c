-- reindex: makes what is derived of a host agree with what it is derived from:
-- used with slots:<host>, the load sets with the service hashes, the class
-- with filters and labels as they are now, lists with who is in them. Rows that belong to nobody
-- leave, as do services that are offered no more and hold nothing. used is
-- lowered only by a caller who has looked at every record: rows may be lost. What the
-- host took since that look began, one for each step of its revision, is not in it.
-- KEYS: none. Touches host:<host>, slots:<host>, stream:<key>:<instance>,
--   service:<type>:<host>, load:<type>:<class>, classes:<type>, types, hosts, hosts:lease,
--   draining, events.
-- ARGV: ns, actor, host, rev (of the host before the records were looked at), n, then n
--   services of 3: type, paused (1 or 0: its queue is paused), records ('' for not
--   known, else how many were found to name it).
-- RETURN: {'ok', corrections made, services with fewer rows than used}.
-- TWICE: the second finds nothing to correct.
local ns, actor, host, seen, n = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local FIRST, WIDTH = 6, 3
-- include: now
-- include: event
-- include: index
-- include: class
-- include: split
-- include: bound

local sidecars = {} -- how many, by type
local slots, mended, used, short = ns .. 'slots:' .. host, 0, {}, 0
local scored = redis.call('ZCOUNT', slots, 0, 0) < redis.call('ZCARD', slots)
for _, line in ipairs(redis.call('ZRANGE', slots, 0, -1)) do
  local stype, key, instance, along = split_row(line)
  local at = stype and ns .. 'stream:' .. key .. ':' .. instance
  local s = at and sound(at) and redis.call('HMGET', at, 'host', 'with', 'booked') or {}
  if along and not s[2] or not along and s[2] or s[1] ~= host and (not along or s[3] ~= host) then
    redis.call('ZREM', slots, line)
    mended = mended + 1
  elseif along then
    sidecars[stype] = (sidecars[stype] or 0) + 1
  else
    used[stype] = (used[stype] or 0) + 1
    -- Rows are counted by their names, in whose order those of one score stand.
    if scored then mended = mended + redis.call('ZADD', slots, 'CH', 0, line) end
  end
end

local h = ns .. 'host:' .. host
sound(h)
local v = redis.call('HMGET', h, 'state', 'ttl', 'want', 'labels', 'rev')
local state = v[1] or 'down'
if v[1] then
  redis.call('SADD', ns .. 'hosts', host)
  redis.call(v[3] == 'draining' and 'SADD' or 'SREM', ns .. 'draining', host)
end
-- Who lives beats within its ttl; who does not is reaped then.
if state ~= 'down' and stamp(v[2]) then
  mended = mended + redis.call('ZADD', ns .. 'hosts:lease', 'NX', int(now + stamp(v[2])), host)
end

-- figure gives what used should be, beside what it was and the rows say.
local since = seen and tonumber(v[5]) and tonumber(v[5]) - seen
local function figure(rows, was, records)
  was = whole(was)
  if not was or was <= rows then return rows end
  if records ~= '' and since and since >= 0 then was = math.max(rows, math.min(was, tonumber(records) + since)) end
  if was > rows then short = short + 1 end
  return was
end

-- withdraw forgets a service that is offered no more and holds nothing.
local function withdraw(stype)
  local names = {}
  for name in string.gmatch(redis.call('HGET', h, 'services') or '', '%S+') do
    if name ~= stype then names[#names + 1] = name end
  end
  redis.call('HSET', h, 'services', table.concat(names, ' '))
  redis.call('DEL', ns .. 'service:' .. stype .. ':' .. host)
end

-- nonsense is why a service takes nothing for what a hand wrote, or nil. uses is set if
-- it is to share pools; of is its type where that is to be said.
local view
local function nonsense(capacity, uses, of)
  if capacity and not whole(capacity) then return because('bad-capacity', 'capacity', string.sub(capacity, 1, 40), 'type', of) end
  if not uses then return nil end
  view = view or pools(host)
  local all = redis.call('HGET', h, 'pools')
  if not amounts(all) then return because('bad-pools', 'pools', string.sub(all, 1, 40), 'type', of) end
  for _, stype in ipairs(view.types) do
    local v = view.users[stype]
    if not v.uses then return because('bad-uses', 'type', stype, 'uses', string.sub(v[6], 1, 40)) end
  end
  local names, mine = {}, amounts(uses)
  for pool in pairs(mine) do names[#names + 1] = pool end
  table.sort(names)
  for _, pool in ipairs(names) do
    local size = amounts(all)[pool] or 0
    if size == 0 or mine[pool] > size then
      return because('no-pool', 'needs', decimal(mine[pool]), 'pool', pool, 'size', decimal(size), 'type', of)
    end
  end
end

local indexed = {}
for i = 0, n - 1 do
  local at = FIRST + i * WIDTH
  local stype, paused = ARGV[at], ARGV[at + 1] == '1'
  local service = ns .. 'service:' .. stype .. ':' .. host
  local there = sound(service)
  local s = redis.call('HMGET', service, 'used', 'class', 'state', 'capacity', 'withdrawn', 'places', 'uses')
  redis.call('SADD', ns .. 'types', stype)
  local should = figure(used[stype] or 0, s[1], ARGV[at + 2])
  if s[5] and should == 0 and not sidecars[stype] then
    withdraw(stype)
    mended = mended + 1
  elseif s[1] or s[2] then
    if paused then redis.call('HSET', service, 'paused', '1') else redis.call('HDEL', service, 'paused') end
    local right, bound = int(should), bound(service, state)
    if (whole(redis.call('HGET', service, 'sidecars')) or 0) ~= (sidecars[stype] or 0) then
      redis.call('HSET', service, 'sidecars', int(sidecars[stype] or 0))
      mended = mended + 1
    end
    if s[1] ~= right then
      redis.call('HSET', service, 'used', right)
      event('mended', '', '', host, '', because('mended-used', 'type', stype, 'used', right, 'was', string.sub(s[1] or 'absent', 1, 40)))
      mended = mended + 1
    end
    if reclass(stype, host, v[4] or '') then mended = mended + 1 end
    if s[3] ~= bound then
      redis.call('HSET', service, 'state', bound)
      mended = mended + 1
    end
    -- A hand set more than there are places, or no limit.
    local most = limit_of(s[4], s[6])
    if s[6] and most ~= s[4] then
      redis.call('HSET', service, 'capacity', most)
      event('mended', '', '', host, '', because('mended-capacity', 'places', most, 'type', stype, 'was', string.sub(s[4] or 'absent', 1, 40)))
      s[4], mended = most, mended + 1
    end
    -- Nonsense is told once: the reason is kept beside it and cleared with it.
    local odd = nonsense(s[4], s[7], '')
    if (odd or '') ~= (redis.call('HGET', service, 'reason') or '') then
      if odd then redis.call('HSET', service, 'reason', odd) else redis.call('HDEL', service, 'reason') end
      if odd then event('nonsense', '', '', host, '', nonsense(s[4], s[7], stype)) end
    end
    indexed[#indexed + 1] = stype
  elseif not there and state ~= 'down' then
    -- Without its ttl the host is unknown at its next beat and registers, with
    -- all that its file offers.
    redis.call('HDEL', h, 'ttl')
    mended = mended + 1
  end
end
index_all(host, indexed)
return { 'ok', mended, short }
