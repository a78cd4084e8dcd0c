-- bound: bound() gives the state of a service whose host is in state: a paused one takes
-- nothing new, nor does one whose check fails and is heeded (unless well says to leave
-- that out), and one that the host's file no longer offers only ends what it has.
local function bound(service, state, well)
  local s = redis.call('HMGET', service, 'withdrawn', 'paused', 'heed')
  if s[1] then return 'down' end
  return (s[2] or s[3] == 'kept' and not well) and state == 'up' and 'cordoned' or state
end
