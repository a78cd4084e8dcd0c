-- account: take() and give_back() are the only places where an instance begins and
-- ceases to hold capacity. The reverse index slots:<host> decides: a slot that
-- is in it already is not counted again, one that is not in it is not given
-- back again, so doing either twice changes nothing and no counter needs a
-- clamp that would hide a mistake. Both advance the host's revision.
-- include: names
-- include: rev
local function count(stype, host, delta)
  local service = ns .. 'service:' .. stype .. ':' .. host
  if not sound(service) then return end
  local used = redis.pcall('HINCRBY', service, 'used', delta)
  -- A field edited into something that is no number answers with an error.
  if type(used) ~= 'number' or used < 0 then recount(stype, host) end
  index(stype, host)
end

-- seen is the service as this same script has read and found it up, in the
-- order capacity, used, state, class; it saves reading it again. What is placed was held by
-- nobody, so a row that is there nevertheless was no reason to have counted it.
local function take(stype, key, instance, host, seen)
  bump(host)
  if redis.call('ZADD', ns .. 'slots:' .. host, 0, row_of(stype, key, instance)) == 0 and not seen then return end
  if not seen then return count(stype, host, 1) end
  local used = whole(seen[2]) + 1
  redis.call('HSET', ns .. 'service:' .. stype .. ':' .. host, 'used', int(used))
  enter(stype, seen[4], host, seen[1], used)
end

local function give_back(stype, key, instance, host)
  bump(host)
  redis.call('ZREM', ns .. 'outbox', member(key, instance))
  if redis.call('ZREM', ns .. 'slots:' .. host, row_of(stype, key, instance)) == 1 then
    count(stype, host, -1)
    wake('room ' .. stype)
  end
end
