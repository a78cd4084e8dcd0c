-- rev: bump() advances a host's revision, so that its runner compares what it
-- should run with what it runs. A hand may have left something that is no number.
-- include: sound
local function bump(host)
  local h = ns .. 'host:' .. host
  local rev = redis.pcall('HINCRBY', h, 'rev', 1)
  if type(rev) ~= 'number' then
    rev = now_us
    sound(h)
    redis.call('HSET', h, 'rev', int(rev))
  end
  return rev
end
