-- place: gives one pending instance to the least loaded service that may have it,
-- in one step. The caller decides eligibility once per class (Lua has no
-- regular expressions) and names candidates rank by rank: a class, or one host of it;
-- within a rank the lowest load wins, then the name, never chance.
-- A sidecar goes where its target is, or nowhere; it takes no capacity there, and of the
-- pools what is booked for it, if there is room. A target has room booked for its sidecars.
-- A job that is bound to a host goes there, also while that is cordoned or drained, or
-- nowhere; and no job takes what a live slot waits for.
-- KEYS: none. Touches reaper, stream:<key>:<slot>,
--   stream:<key>:<instance>, pending:<type>,
--   load:<type>:<class>, service:<type>:<host>, slots:<host>, hosts:lease,
--   host:<host>, outbox, dirty, token, events.
-- ARGV: ns, actor, key, instance, type, nonce, closed (hosts that one before it was
--   refused, separated by spaces: it gets none of them), all (1: only a host that has room for its
--   sidecars, too), weighed (of a job: the types, separated by spaces, whose waiting slots closed has in view), n, then n rows of rank, class and host ('' for any),
--   ranks ascending; at most 8.
-- RETURN: {'placed', host, token, now} | {'full', class, host, class, host, ...} (the hosts that may
--   have room and were passed over for its own sake, '*' for all of a class) | {'hold', reason} | {'gone'}
--   (not pending any more: somebody else placed it, or nobody wants it).
-- TWICE: after the first the slot is not pending: 'gone'. The outbox has it.
local ns, actor, key, instance, stype, nonce = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local refused, all, looked, n = ARGV[7], ARGV[8] == '1', ARGV[9], tonumber(ARGV[10])
local FIRST, WIDTH = 11, 3
-- include: now
-- include: hold
-- include: event
-- include: index
-- include: account
-- include: dirty
-- include: siblings
-- include: mirror
-- include: token
-- include: bound
-- include: spare

local why = held()
if why then return { 'hold', why } end
local at = ns .. 'stream:' .. key .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'avoid', 'move', 'off', 'alone', 'apart', 'only', 'with', 'sidecars', 'copy', 'anyway')
local slot, job, weighed = slot_of(instance), is_job(instance), {}
if not slot or s[1] ~= 'pending' then return { 'gone' } end

if job then
  for name in string.gmatch(looked, '%S+') do weighed[name] = true end
end
local avoided, skip, closed = {}, 0, {}
for host in string.gmatch(refused, '%S+') do closed[host] = true end
if s[2] then
  for host, till in string.gmatch(s[2], '(%S+)=(%d+)') do
    if tonumber(till) > now then avoided[host], skip = true, skip + 1 end
  end
end
if s[4] then avoided[s[4]], skip = true, skip + 1 end -- it is to follow what runs there

-- Copies that are apart never share a host, whatever state the others are in; or no
-- value of a label. Where an operator lets it be anyway, it goes if it has no other place.
local values, lone, beside_others
if s[6] and not s[5] then
  local hosts, host = nil, spared(s[11])
  hosts, values = barred(key, instance, s[6])
  lone = host and not avoided[host] and host
  for host in pairs(hosts) do
    if not avoided[host] then avoided[host], skip = true, skip + 1 end
  end
  if not next(values) then values = nil end
end

local passed = {}
local function pass(class, host)
  table.insert(passed, class)
  table.insert(passed, host)
end

-- accompanied tells whether the sidecars of a target could run on a host beside it.
local function accompanied(host)
  local needs, seen = amounts(redis.call('HGET', ns .. 'service:' .. stype .. ':' .. host, 'uses')) or {}, {}
  for _, one in ipairs(beside(key, s[9] or '', s[10])) do
    local name, v = one[1], redis.call('HMGET', ns .. 'service:' .. one[2] .. ':' .. host, 'state', 'uses')
    local uses = amounts(v[2])
    if v[1] ~= 'up' or not uses then return false end
    for pool, amount in pairs(seen[slot_of(name)] and {} or uses) do needs[pool] = (needs[pool] or 0) + amount end
    seen[slot_of(name)] = true
  end
  return not next(needs) or fits(pools(host), needs) > 0
end

-- offer gives the service of a host as read, and its host's pools if it uses any.
local function offer(host)
  local v, view = redis.pcall('HMGET', ns .. 'service:' .. stype .. ':' .. host, 'capacity', 'used', 'state', 'class', 'places', 'uses')
  v[5] = v[5] and unheld(v[5], stype, host)
  if v[6] then
    view = pools(host)
    v = view.users[stype] or v
  end
  return v, view
end

-- asked tells whether a class is among those that may take it.
local function asked(class)
  for i = FIRST, FIRST + WIDTH * (n - 1), WIDTH do
    if ARGV[i + 1] == class then return true end
  end
  return false
end

-- usable re-verifies the picked service: its hash may have been edited, its
-- lease may have lapsed since it was indexed. It gives the service as read and
-- its load score and the pools of its host if it uses any, or nil and 1 if the host had
-- no business in this load set and left it, nil alone if no host of its labels will do, else 0.
local function usable(class, host)
  if avoided[host] then
    pass(class, host)
    return nil, 0
  end
  if closed[host] then return nil, 0 end
  local v, view = offer(host)
  local load = v[4] == class and value(v, view)
  if not load or load > 1000000 then
    if v[4] == class then index(stype, host) else redis.call('ZREM', ns .. 'load:' .. stype .. ':' .. class, host) end
    return nil, 1
  end
  if (tonumber(redis.call('ZSCORE', ns .. 'hosts:lease', host)) or 0) <= now then return nil, 0 end
  if values and not beside_others and values[label(host, s[6]) or 0] then
    pass(class, '*')
    return nil
  end
  if all and not accompanied(host) or job and not spare(stype, host, view, weighed) then return nil, 0 end
  return v, load, view
end

-- first finds the least loaded usable host of a class: nearly always the
-- head of its load set, so the cost does not grow with the hosts. Or it is about the
-- one host of it that is named.
local function first(class, only)
  local load, offset, width = ns .. 'load:' .. stype .. ':' .. class, 0, skip + 1
  if only ~= '' then
    if redis.call('ZSCORE', load, only) then
      local service, value, view = usable(class, only)
      if service then return only, value, service, view end
    elseif redis.call('HGET', ns .. 'service:' .. stype .. ':' .. only, 'class') ~= class then
      pass(class, only) -- another class of it may have room
    end
    return nil
  end
  while true do
    local rows = redis.call('ZRANGE', load, '-inf', '1000000', 'BYSCORE', 'LIMIT', offset, width)
    if #rows == 0 then return nil end
    for _, host in ipairs(rows) do
      local service, value, view = usable(class, host)
      if service then return host, value, service, view end
      if not value then return nil end -- the hosts of a class have the same labels
      offset = offset + 1 - value
    end
    width = 64
  end
end

-- alongside gives the host of a sidecar's target if it is to run there now. What is
-- booked there for another instance of its copy, which it is to follow, is its own then.
local function alongside()
  local host, stays = anchor(key, s[8], s[10] or '1')
  if not stays or avoided[host] or (tonumber(redis.call('ZSCORE', ns .. 'hosts:lease', host)) or 0) <= now then return nil end
  local v = redis.pcall('HMGET', ns .. 'service:' .. stype .. ':' .. host, 'state', 'class', 'used', 'places')
  if not asked(v[2]) or v[1] ~= 'up' or v[4] and (whole(v[3]) or 0) >= (whole(unheld(v[4], stype, host)) or 0) then return nil end
  for name in instances_of(key, slot) do
    local other = redis.call('HMGET', ns .. 'stream:' .. key .. ':' .. name, 'booked', 'copy')
    if other[1] == host and (other[2] or '1') == (s[10] or '1') then
      unbook(stype, key, name, host)
      return host
    end
  end
  return affords(stype, host) and host or nil
end

-- home gives the service of a job's own host, as read, if that has room: it takes nothing new when
-- it is cordoned or drained, but what its files wait for.
local function home(host)
  local service = ns .. 'service:' .. stype .. ':' .. host
  local state = redis.call('HGET', ns .. 'host:' .. host, 'state')
  if avoided[host] or closed[host] or (tonumber(redis.call('ZSCORE', ns .. 'hosts:lease', host)) or 0) <= now then return nil end
  if not state or state == 'down' or bound(service, 'up') ~= 'up' then return nil end
  local v, view = offer(host)
  if not asked(v[4]) then return nil end
  local is = v[3]
  v[3] = 'up'
  local full = (value(v, view) or 1000001) > 1000000
  v[3] = is
  if full or not spare(stype, host, view, weighed) then return nil end
  return v, view
end

local rank, best, load, seen, shared
if job and s[7] then
  seen, shared = home(s[7])
  best, n = seen and s[7], 0
end
if s[8] or all then
  for i = FIRST, FIRST + WIDTH * (n - 1), WIDTH do pass(ARGV[i + 1], '*') end -- nothing is proved of others
end
local function choose(only)
  for i = FIRST, FIRST + WIDTH * (n - 1), WIDTH do
    if best and ARGV[i] ~= rank then break end
    rank = ARGV[i]
    local class, named = ARGV[i + 1], ARGV[i + 2]
    local host, value, service, view
    if not only or named == only then
      host, value, service, view = first(class, named)
    elseif beside_others and named == '' then
      host, value, service, view = first(class, only)
    else -- it is one host's, and this is not that alone
      pass(class, named == '' and '*' or named)
    end
    if host and (not best or value < load or (value == load and host < best)) then
      best, load, seen, shared = host, value, service, view
    end
  end
end
if s[8] then best = alongside() else choose(s[7]) end
if not best and lone and not s[8] then
  avoided[lone], beside_others = nil, true
  choose(lone)
end
if not best then return { 'full', unpack(passed) } end

local token, line, time = issue(), member(key, instance), int(now)
redis.call('HSET', at, 'state', 'assigned', 'host', best, 'token', token, 'since', time,
  'assigned', time, 'reason', '')
if s[3] then redis.call('HDEL', at, 'move') end
if s[11] and not beside_others then redis.call('HDEL', at, 'anyway') end -- it is apart again
redis.call('ZREM', ns .. 'pending:' .. stype, line)
redis.call('ZADD', ns .. 'outbox', time, line)
if s[8] then
  if redis.call('HEXISTS', ns .. 'service:' .. stype .. ':' .. best, 'uses') == 1 then redis.call('HSET', at, 'booked', best) end
  hold_on(stype, key, instance, best)
else
  take(stype, key, instance, best, seen, shared)
end
if s[9] and book(key, s[9], s[10], best) and not redis.call('HGET', at, 'follows') then
  mark(key)
  wake('dirty')
end
local name = mirror(key, slot, instance, s[5], 'assigned', best)
event('placed', key, name, best, token, '')
return { 'placed', best, token, time }
