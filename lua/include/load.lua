-- load: how full a service is, which is its score in the load set of its class. Service
-- hashes may have been edited by hand: what is no number means no room.
-- include: sound
-- rows counts what a host holds of a type: slots:<host> is in the order of names, and
-- after | comes }.
local function rows(stype, host)
  return redis.call('ZLEXCOUNT', ns .. 'slots:' .. host, '[' .. stype .. '|', '(' .. stype .. '}')
end

-- whole reads a field that must be a whole number from 0 to a million.
local function whole(text)
  if not text or not string.match(text, '^%d+$') or #text > 7 then return nil end
  local n = tonumber(text)
  if n > 1000000 then return nil end
  return n
end

-- beside_rows counts the sidecars among it.
local function beside_rows(stype, host) return rows('+' .. stype, host) end

-- unheld is how many places of a service slots that hold capacity may have: sidecars need one, too.
local function unheld(places, stype, host)
  local most = whole(places)
  return most and int(math.max(0, most - beside_rows(stype, host))) or places
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

-- include: pools

-- value is the load score of a service as read: how full it is after one more slot, it or
-- the fullest of its pools; nil for no room ever.
local function value(service, view)
  local used = whole(service[2])
  if not used or service[3] ~= 'up' then return nil end
  local capacity = limit_of(service[1], service[5])
  local own = score(capacity, used)
  if not own or not service[6] or service.uses and not next(service.uses) then return own end
  local shared = strain(view, service.uses)
  if not shared then return nil end
  return capacity and math.max(own, shared) or shared
end

-- enter gives a service its score in the load set of its class, or takes it out.
local function enter(stype, host, service, view)
  if not service[4] then return end
  local load, n = ns .. 'load:' .. stype .. ':' .. service[4], value(service, view)
  if n then redis.call('ZADD', load, int(n), host) else redis.call('ZREM', load, host) end
end
