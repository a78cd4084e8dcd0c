-- dirty: mark() asks the schedulers to look at a stream again. The score is
-- the mark's own number, always a new one, so that whoever clears a mark
-- clears no later one with it.
local function mark(key)
  local dirty = ns .. 'dirty'
  local last = tonumber(redis.call('ZSCORE', dirty, key))
  local number = now_us
  if last and last >= number then number = last + 1 end
  redis.call('ZADD', dirty, int(number), key)
end
