-- dirty: mark() asks the schedulers to look at a stream again. The score is
-- the mark's own number, always a new one, so that whoever clears a mark
-- clears no later one with it. A score that a hand set beyond what counts by
-- ones is no number of a mark.
-- RETURN: mark() gives nothing.
local function mark(key)
  local dirty = ns .. 'dirty'
  local last = tonumber(redis.call('ZSCORE', dirty, key))
  local number = now_us
  if last and last >= number and last < 9007199254740000 then number = math.floor(last) + 1 end
  redis.call('ZADD', dirty, int(number), key)
end
