-- index: index() puts a host where it belongs in the load set of its class,
-- or takes it out where it has no say. Service hashes may have been edited by
-- hand: what is no number means no room. recount() derives used from the
-- slots the host holds.
-- include: sound
-- rows counts what a host holds of a type: slots:<host> is in the order of names, and
-- after | comes }.
local function rows(stype, host)
  return redis.call('ZLEXCOUNT', ns .. 'slots:' .. host, '[' .. stype .. '|', '(' .. stype .. '}')
end

local function recount(stype, host)
  local service = ns .. 'service:' .. stype .. ':' .. host
  if sound(service) then redis.call('HSET', service, 'used', int(rows(stype, host))) end
end

-- whole reads a field that must be a whole number from 0 to a million.
local function whole(text)
  if not text or not string.match(text, '^%d+$') or #text > 7 then return nil end
  local n = tonumber(text)
  if n > 1000000 then return nil end
  return n
end

-- score gives the load score after one more slot, or nil for no room ever.
-- Room is a score of at most a million; without a capacity there always is.
local function score(capacity, used)
  if not capacity then return used end
  local most = whole(capacity)
  if not most or most == 0 then return nil end
  return math.floor((used + 1) * 1000000 / most)
end

-- limit_of is the capacity that counts: no more than there are places.
local function limit_of(capacity, places)
  local most = whole(places)
  if not most then return capacity end
  local n = capacity and whole(capacity)
  if capacity and not n then return capacity end
  return int(math.min(n or most, most))
end

-- enter gives a host that is up its score in the load set of its class.
local function enter(stype, class, host, capacity, used)
  local load, value = ns .. 'load:' .. stype .. ':' .. class, score(capacity, used)
  if value then
    redis.call('ZADD', load, int(value), host)
  else
    redis.call('ZREM', load, host)
  end
end

local function index(stype, host)
  local s = redis.call('HMGET', ns .. 'service:' .. stype .. ':' .. host, 'capacity', 'used', 'state', 'class', 'places')
  if not s[4] then return end
  local used = whole(s[2])
  if used and s[3] == 'up' then
    enter(stype, s[4], host, limit_of(s[1], s[5]), used)
  else
    redis.call('ZREM', ns .. 'load:' .. stype .. ':' .. s[4], host)
  end
end

-- atleast raises used to the slots the host holds. Fewer of them may be rows that a
-- hand took away: used is lowered only by who has looked at every record.
local function atleast(stype, host)
  local service = ns .. 'service:' .. stype .. ':' .. host
  if not sound(service) then return end
  local used = whole(redis.call('HGET', service, 'used'))
  if not used or used < rows(stype, host) then recount(stype, host) end
  index(stype, host)
end
