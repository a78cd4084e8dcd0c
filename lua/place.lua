-- place: gives one pending instance to the least loaded service that may have it,
-- in one step. The caller decides eligibility once per class (Lua has no
-- regular expressions) and names candidates rank by rank: a class, or one host of it;
-- within a rank the lowest load wins, then the name, never chance.
-- KEYS: none. Touches reaper, stream:<key>:<slot>,
--   stream:<key>:<instance>, pending:<type>,
--   load:<type>:<class>, service:<type>:<host>, slots:<host>, hosts:lease,
--   host:<host>, outbox, token, events.
-- ARGV: ns, actor, key, instance, type, nonce, closed (hosts that one before it was
--   refused, separated by spaces: it gets none of them), n, then n rows of rank, class and host ('' for any),
--   ranks ascending; at most 8.
-- RETURN: {'placed', host, token, now} | {'full', class, host, class, host, ...} (the hosts that may
--   have room and were passed over for its own sake, '*' for all of a class) | {'hold', reason} | {'gone'}
--   (not pending any more: somebody else placed it, or nobody wants it).
-- TWICE: after the first the slot is not pending: 'gone'. The outbox has it.
local ns, actor, key, instance, stype, nonce = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local refused, n = ARGV[7], tonumber(ARGV[8])
local FIRST, WIDTH = 9, 3
-- include: now
-- include: hold
-- include: event
-- include: index
-- include: account
-- include: siblings
-- include: mirror
-- include: token

local why = held()
if why then return { 'hold', why } end
local at = ns .. 'stream:' .. key .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'avoid', 'move', 'off', 'alone', 'apart', 'only')
local slot = slot_of(instance)
if not slot or s[1] ~= 'pending' then return { 'gone' } end

local avoided, skip, closed = {}, 0, {}
for host in string.gmatch(refused, '%S+') do closed[host] = true end
if s[2] then
  for host, till in string.gmatch(s[2], '(%S+)=(%d+)') do
    if tonumber(till) > now then avoided[host], skip = true, skip + 1 end
  end
end
if s[4] then avoided[s[4]], skip = true, skip + 1 end -- it is to follow what runs there

-- Copies that are apart never share a host, whatever state the others are in; or no
-- value of a label.
local values
if s[6] and not s[5] then
  local hosts
  hosts, values = barred(key, instance, s[6])
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
  local v, view = redis.pcall('HMGET', ns .. 'service:' .. stype .. ':' .. host, 'capacity', 'used', 'state', 'class', 'places', 'uses')
  if v[6] then
    view = pools(host)
    v = view.users[stype] or v
  end
  local load = v[4] == class and value(v, view)
  if not load or load > 1000000 then
    if v[4] == class then index(stype, host) else redis.call('ZREM', ns .. 'load:' .. stype .. ':' .. class, host) end
    return nil, 1
  end
  if (tonumber(redis.call('ZSCORE', ns .. 'hosts:lease', host)) or 0) <= now then return nil, 0 end
  if values and values[label(host, s[6]) or 0] then
    pass(class, '*')
    return nil
  end
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

local rank, best, load, seen, shared
for i = FIRST, FIRST + WIDTH * (n - 1), WIDTH do
  if best and ARGV[i] ~= rank then break end
  rank = ARGV[i]
  local class, named = ARGV[i + 1], ARGV[i + 2]
  local host, value, service, view
  if not s[7] or named == s[7] then
    host, value, service, view = first(class, named)
  else -- it is one host's, and this is not that alone
    pass(class, named == '' and '*' or named)
  end
  if host and (not best or value < load or (value == load and host < best)) then
    best, load, seen, shared = host, value, service, view
  end
end
if not best then return { 'full', unpack(passed) } end

local token, line, time = issue(), member(key, instance), int(now)
redis.call('HSET', at, 'state', 'assigned', 'host', best, 'token', token, 'since', time,
  'assigned', time, 'reason', '')
if s[3] then redis.call('HDEL', at, 'move') end
redis.call('ZREM', ns .. 'pending:' .. stype, line)
redis.call('ZADD', ns .. 'outbox', time, line)
take(stype, key, instance, best, seen, shared)
local name = mirror(key, slot, instance, s[5], 'assigned', best)
event('placed', key, name, best, token, '')
return { 'placed', best, token, time }
