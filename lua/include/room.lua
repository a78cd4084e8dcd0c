-- room: counts, up to want, the slots that services of the class still take on hosts
-- that are not among the avoided ones, of which there are n. Read only; place
-- decides.
-- lazy
-- include: index
local function room(stype, class, avoided, n, want)
  local found = 0
  local rows = redis.call('ZRANGE', ns .. 'load:' .. stype .. ':' .. class, '-inf', '1000000', 'BYSCORE', 'LIMIT', 0, n + want)
  for _, host in ipairs(rows) do
    if found >= want then break end
    if not avoided[host] and (tonumber(redis.call('ZSCORE', ns .. 'hosts:lease', host)) or 0) > now then
      local s = want > 1 and redis.pcall('HMGET', ns .. 'service:' .. stype .. ':' .. host, 'capacity', 'used', 'uses') or {}
      local free = s[1] and (tonumber(s[1]) or 0) - (tonumber(s[2]) or 0) or want
      if s[3] then free = math.min(free, fits(pools(host), amounts(s[3]))) end
      found = found + math.max(1, math.min(want, free)) -- its score says that there is one
    end
  end
  return found
end

-- room_on: the same as room of one host.
local function room_on(host, stype, class, avoided)
  local load = tonumber(redis.call('ZSCORE', ns .. 'load:' .. stype .. ':' .. class, host))
  return load and load <= 1000000 and not avoided[host]
    and (tonumber(redis.call('ZSCORE', ns .. 'hosts:lease', host)) or 0) > now
end
