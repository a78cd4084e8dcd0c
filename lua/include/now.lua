-- now: the server's clock. now_us microseconds, now milliseconds, both since
-- the Unix epoch. int() writes a number with all its digits: tostring keeps
-- 14 of them, and a token has 16.
local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local now = math.floor(now_us / 1000)
local function int(n) return string.format('%.0f', n) end

-- stamp reads a field that must be a whole number of at most 16 digits: a
-- time, a rank, a counter. Anything else (nan, 1e300, an edit) is nil.
local function stamp(text)
  if not text or #text > 16 or not string.match(text, '^%d+$') then return nil end
  return tonumber(text)
end
