-- room: tells whether a service of the class has a seat on a host that is not
-- among the avoided ones, of which there are n. Read only; place decides.
local function room(stype, class, avoided, n)
  local rows = redis.call('ZRANGE', ns .. 'load:' .. stype .. ':' .. class, '-inf', '1000000', 'BYSCORE', 'LIMIT', 0, n + 1)
  for _, host in ipairs(rows) do
    if not avoided[host] and (tonumber(redis.call('ZSCORE', ns .. 'hosts:lease', host)) or 0) > now then return true end
  end
  return false
end

-- room_on: the same as room of one host.
local function room_on(host, stype, class, avoided)
  local load = tonumber(redis.call('ZSCORE', ns .. 'load:' .. stype .. ':' .. class, host))
  return load and load <= 1000000 and not avoided[host]
    and (tonumber(redis.call('ZSCORE', ns .. 'hosts:lease', host)) or 0) > now
end
