-- again: has the stream looked at again at a time, if it is not before.
-- RETURN: again() gives nothing.
local function again(key, at)
  local asked = tonumber(redis.call('ZSCORE', ns .. 'requeue', key))
  if not asked or asked > at then redis.call('ZADD', ns .. 'requeue', int(at), key) end
end

-- PATIENCE is for how long a lead that runs may not be ready before another leads, ms.
local PATIENCE = 5000
