-- account: take() and give_back() are the only places where an instance begins and
-- ceases to hold capacity; join() and part() (sidecars) are those where one that takes none is held. The reverse index slots:<host> decides: a slot that
-- is in it already is not counted again, one that is not in it is not given
-- back again, so doing either twice changes nothing and no counter needs a
-- clamp that would hide a mistake. Both advance the host's revision.
-- lazy
-- include: names
-- include: rev
-- include: sidecars

-- charge gives the types that have another load by it: it, and those that share its pools.
local function charge(stype, host, delta)
  local service = ns .. 'service:' .. stype .. ':' .. host
  if not sound(service) then return {} end
  local used = redis.pcall('HINCRBY', service, 'used', delta)
  -- A field edited into something that is no number answers with an error.
  if type(used) ~= 'number' or used < 0 then recount(stype, host) end
  return index(stype, host)
end

-- seen is the service as this same script has read and found it up, and view its host's
-- pools if it uses any; they save reading them again. What is placed was held by
-- nobody, so a row that is there nevertheless was no reason to have counted it.
local function take(stype, key, instance, host, seen, view)
  bump(host)
  if redis.call('ZADD', ns .. 'slots:' .. host, 0, row_of(stype, key, instance)) == 0 and not seen then return end
  if not seen then return charge(stype, host, 1) end
  seen[2] = int(whole(seen[2]) + 1)
  redis.call('HSET', ns .. 'service:' .. stype .. ':' .. host, 'used', seen[2])
  if not view then return enter(stype, host, seen) end
  for pool, amount in pairs(seen.uses) do view.taken[pool] = view.taken[pool] + amount end
  share(host, view, seen.uses)
end

local function give_back(stype, key, instance, host)
  bump(host)
  redis.call('ZREM', ns .. 'outbox', member(key, instance))
  local at = ns .. 'stream:' .. key .. ':' .. instance
  local s = redis.call('HMGET', at, 'with', 'booked', 'sidecars', 'copy')
  if redis.call('ZREM', ns .. 'slots:' .. host, row_of(stype, key, instance)) == 1 then
    for _, other in ipairs(charge(stype, host, -1)) do wake('room ' .. other) end
  elseif s[1] and s[2] ~= host then
    for _, other in ipairs(part(stype, key, instance, host)) do wake('room ' .. other) end
  end
  if s[3] then
    for _, one in ipairs(beside(key, s[3], s[4])) do unbook(one[2], key, one[1], host) end
  end
end

-- hold_on has a host hold an instance, by capacity or as a sidecar.
local function hold_on(stype, key, instance, host)
  if not redis.call('HGET', ns .. 'stream:' .. key .. ':' .. instance, 'with') then return take(stype, key, instance, host) end
  bump(host)
  join(stype, key, instance, host)
end

-- convert makes an instance that is held a sidecar of a slot, or gives it capacity of its own (with is '').
local function convert(stype, key, instance, host, with)
  local at = ns .. 'stream:' .. key .. ':' .. instance
  if with == '' then
    unbook(stype, key, instance)
    redis.call('HDEL', at, 'with')
    if host ~= '' then
      part(stype, key, instance, host)
      take(stype, key, instance, host)
    end
    return
  end
  redis.call('HSET', at, 'with', with)
  if host ~= '' and redis.call('ZREM', ns .. 'slots:' .. host, row_of(stype, key, instance)) == 1 then
    charge(stype, host, -1)
    join(stype, key, instance, host)
  end
end
