-- bound: bound() gives the state of a service whose host is in state: a paused one takes
-- nothing new, and one that the host's file no longer offers only ends what it has.
local function bound(service, state)
  local s = redis.call('HMGET', service, 'withdrawn', 'paused')
  if s[1] then return 'down' end
  return s[2] and state == 'up' and 'cordoned' or state
end
