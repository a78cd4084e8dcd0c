-- sidecars: slots that run on the host of another slot of their stream, copy by copy.
-- They hold no capacity there, the other one, their target, pays. A sidecar's instance says
-- which slot that is in with, a target's which slots these are in sidecars. What a
-- sidecar takes of its host's pools is taken with its target: booked says on which host,
-- and from then on its row is in that one's slots, whether it runs there yet or not.
-- lazy
-- include: instances
-- include: names
-- include: index

-- anchor gives the host on which a sidecar belongs, and whether it is to start there: it is that of its target's
-- instance of the same copy. One that is to follow another is not looked at while that is there.
local function anchor(key, target, copy)
  local stream, best, host = ns .. 'stream:' .. key, 0, nil
  for name in instances_of(key, target) do
    local v = redis.call('HMGET', stream .. ':' .. name, 'state', 'host', 'copy', 'follows')
    if (v[2] or '') ~= '' and (v[3] or '1') == copy then
      local worth = v[4] and 1 or v[1] == 'stopping' and 2 or 3
      if worth > best then best, host = worth, v[2] end
    end
  end
  return host, best == 3
end

-- counted has a service say how many sidecars it has; scripts count rows instead.
local function counted(stype, host)
  local service = ns .. 'service:' .. stype .. ':' .. host
  if sound(service) then redis.call('HSET', service, 'sidecars', int(beside_rows(stype, host))) end
  return index(stype, host)
end

-- join has a host hold a sidecar, or room for one.
local function join(stype, key, instance, host)
  if redis.call('ZADD', ns .. 'slots:' .. host, 0, beside_row(stype, key, instance)) == 1 then counted(stype, host) end
end

-- part ends that. It gives the types that have another load by it.
local function part(stype, key, instance, host)
  if redis.call('ZREM', ns .. 'slots:' .. host, beside_row(stype, key, instance)) == 0 then return {} end
  return counted(stype, host)
end

-- unbook takes back what is booked for a sidecar, if it is on that host (nil: on any).
local function unbook(stype, key, instance, host)
  local at = ns .. 'stream:' .. key .. ':' .. instance
  local s = redis.call('HMGET', at, 'booked', 'host')
  if not s[1] or host and s[1] ~= host then return end
  redis.call('HDEL', at, 'booked')
  if s[2] == s[1] then return end -- it runs there
  for _, other in ipairs(part(stype, key, instance, s[1])) do wake('room ' .. other) end
end

-- unheld_by frees what is booked for an instance that is gone, and so runs nowhere.
local function unheld_by(stype, key, instance)
  local booked = redis.call('HGET', ns .. 'stream:' .. key .. ':' .. instance, 'booked')
  for _, other in ipairs(booked and part(stype, key, instance, booked) or {}) do wake('room ' .. other) end
end

-- beside lists the instances of the sidecars of a target's copy, each {name, type, host}.
local function beside(key, sidecars, copy)
  local stream, list = ns .. 'stream:' .. key, {}
  for slot in string.gmatch(sidecars, '%S+') do
    for name in instances_of(key, slot) do
      local v = redis.call('HMGET', stream .. ':' .. name, 'copy', 'type', 'host')
      if v[2] and (v[1] or '1') == (copy or '1') then list[#list + 1] = { name, v[2], v[3] or '' } end
    end
  end
  return list
end

-- affords tells whether the pools of a host have room for a sidecar.
local function affords(stype, host)
  local uses = redis.call('HGET', ns .. 'service:' .. stype .. ':' .. host, 'uses')
  return not uses or fits(pools(host), amounts(uses)) > 0
end

-- book takes what the sidecars of a target use of the pools of the host that it was given, as
-- far as there is room. It tells whether one of them runs elsewhere.
local function book(key, sidecars, copy, host)
  local strays = false
  for _, one in ipairs(beside(key, sidecars, copy)) do
    local name, stype, at = one[1], one[2], one[3]
    strays = strays or at ~= '' and at ~= host
    unbook(stype, key, name)
    local service = redis.call('HMGET', ns .. 'service:' .. stype .. ':' .. host, 'uses', 'state')
    if service[1] and service[2] == 'up' and (at == host or affords(stype, host)) then
      redis.call('HSET', ns .. 'stream:' .. key .. ':' .. name, 'booked', host)
      join(stype, key, name, host)
    end
  end
  return strays
end
