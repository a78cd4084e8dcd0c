-- account: take() and give_back() are the only places where an instance begins and
-- ceases to hold capacity. The reverse index slots:<host> decides: a slot that
-- is in it already is not counted again, one that is not in it is not given
-- back again, so doing either twice changes nothing and no counter needs a
-- clamp that would hide a mistake. Both advance the host's revision.
-- include: names
-- include: rev

-- count gives the types that have another load by it: it, and those that share its pools.
local function count(stype, host, delta)
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
  if not seen then return count(stype, host, 1) end
  seen[2] = int(whole(seen[2]) + 1)
  redis.call('HSET', ns .. 'service:' .. stype .. ':' .. host, 'used', seen[2])
  if not view then return enter(stype, host, seen) end
  for pool, amount in pairs(seen.uses) do view.taken[pool] = view.taken[pool] + amount end
  share(host, view, seen.uses)
end

local function give_back(stype, key, instance, host)
  bump(host)
  redis.call('ZREM', ns .. 'outbox', member(key, instance))
  if redis.call('ZREM', ns .. 'slots:' .. host, row_of(stype, key, instance)) == 1 then
    for _, other in ipairs(count(stype, host, -1)) do wake('room ' .. other) end
  end
end
