-- weigh: weigh() says which services of a type take nothing new because their check
-- fails: those that fail longest, and at most half, rounded down, of all that would be
-- up. The rest is not heeded: then the checker is suspected. unwell has who fails, as
-- <type>|<host>, by the time since when; the hash of a service has check (what it
-- answers), heed (kept: it takes nothing; ignored) and checked (that as a reason).
-- lazy
-- include: index
-- include: bound
-- include: event

-- standing tells whether a service would be up, were it not for its check.
local function standing(stype, host)
  local service = ns .. 'service:' .. stype .. ':' .. host
  if redis.call('HGET', ns .. 'host:' .. host, 'state') ~= 'up' or not sound(service) then return false end
  return redis.call('HEXISTS', service, 'class') == 1 and bound(service, 'up', true) == 'up'
end

-- heed has one that fails kept out or not, and tells of it if that is news.
local function heed(stype, host, word, checked)
  local service = ns .. 'service:' .. stype .. ':' .. host
  local was = redis.call('HGET', service, 'heed')
  redis.call('HSET', service, 'heed', word, 'checked', checked)
  if was == word then return end
  redis.call('HSET', service, 'state', bound(service, redis.call('HGET', ns .. 'host:' .. host, 'state') or 'down'))
  index(stype, host)
  if word == 'ignored' then wake('room ' .. stype) end
  event('check', '', '', host, '', checked)
end

local function weigh(stype)
  local unwell, prefix, failing = ns .. 'unwell', stype .. '|', {}
  if redis.call('ZCARD', unwell) == 0 then return end
  for _, member in ipairs(redis.call('ZRANGE', unwell, 0, -1)) do
    if string.sub(member, 1, #prefix) == prefix then
      local host = string.sub(member, #prefix + 1)
      local service = ns .. 'service:' .. stype .. ':' .. host
      local says = sound(service) and redis.call('HGET', service, 'check')
      if not says then
        redis.call('ZREM', unwell, member) -- it is gone, or was mended by hand
      elseif standing(stype, host) then
        failing[#failing + 1] = { host, says }
      end
    end
  end
  if #failing == 0 then return end
  local n = 0
  for _, host in ipairs(redis.call('SMEMBERS', ns .. 'hosts')) do
    if standing(stype, host) then n = n + 1 end
  end
  local most = math.floor(n / 2) -- what fails on most is the checker's fault
  for i, one in ipairs(failing) do
    local host, says = one[1], one[2]
    if i <= most then
      heed(stype, host, 'kept', because('check-fails', 'error', says, 'type', stype))
    else
      heed(stype, host, 'ignored', because('check-ignored', 'error', says, 'failing', int(#failing), 'services', int(n), 'type', stype))
    end
  end
end
