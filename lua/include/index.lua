-- index: index() puts a host where it belongs in the load set of its class,
-- or takes it out where it has no say. recount() derives used from the
-- slots the host holds.
-- lazy
-- include: load
local function recount(stype, host)
  local service = ns .. 'service:' .. stype .. ':' .. host
  if sound(service) then redis.call('HSET', service, 'used', int(rows(stype, host))) end
end

-- share indexes the services that share a pool with one that uses touched, or all that
-- use any (nil). It gives their types.
local function share(host, view, touched)
  local types = {}
  for _, stype in ipairs(view.types) do
    local service = view.users[stype]
    if meets(service.uses, touched) then
      enter(stype, host, service, view)
      types[#types + 1] = stype
    end
  end
  return types
end

-- index gives the types that it indexed: that one, and those that share its pools.
local function index(stype, host)
  local s = redis.call('HMGET', ns .. 'service:' .. stype .. ':' .. host, 'capacity', 'used', 'state', 'class', 'places', 'uses')
  s[5] = s[5] and unheld(s[5], stype, host)
  local view = s[6] and pools(host)
  if view and view.users[stype] then return share(host, view, view.users[stype].uses) end
  -- What uses pools and is no service of its host, as far as that says, has no room.
  enter(stype, host, s, view)
  return { stype }
end

-- index_all is index of some types of a host, each once.
local function index_all(host, types)
  local done = {}
  for _, stype in ipairs(types) do
    for _, other in ipairs(done[stype] and {} or index(stype, host)) do done[other] = true end
  end
end

-- atleast raises used to the slots the host holds. Fewer of them may be rows that a
-- hand took away: used is lowered only by who has looked at every record.
local function atleast(stype, host)
  local service = ns .. 'service:' .. stype .. ':' .. host
  if not sound(service) then return end
  local used = whole(redis.call('HGET', service, 'used'))
  if not used or used < rows(stype, host) then recount(stype, host) end
end
