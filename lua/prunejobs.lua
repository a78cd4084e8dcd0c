-- prunejobs: forgets the results of jobs that are old, or more than so many, some at a time, and which
-- ids were made long ago.
-- KEYS: none. Touches jobs, jobs:made, jobs:done, job:<key>:<instance>, stream:<key>:<instance>.
-- ARGV: ns, actor, made (ms that ids are remembered), done (ms that results are kept), most (results),
--   budget (results a call).
-- RETURN: {'ok', results forgotten, 1 if more is to do}.
-- TWICE: the second finds nothing to forget.
local ns, actor, made, done = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local most, budget = tonumber(ARGV[5]), tonumber(ARGV[6])
-- include: now
-- include: sound
-- include: split

redis.call('ZREMRANGEBYSCORE', ns .. 'jobs:made', '-inf', '(' .. int(now - made))
local results, taken = ns .. 'jobs:done', 0
local function drop(line)
  local key, instance = split_member(line)
  if key then redis.call('DEL', ns .. 'job:' .. key .. ':' .. instance) end
  redis.call('ZREM', results, line)
  taken = taken + 1
end
for _, line in ipairs(redis.call('ZRANGEBYSCORE', results, '-inf', '(' .. int(now - done), 'LIMIT', 0, budget)) do drop(line) end
local over = math.min(redis.call('ZCARD', results) - most, budget - taken)
for _, line in ipairs(over > 0 and redis.call('ZRANGE', results, 0, over - 1) or {}) do drop(line) end
-- A row whose record is gone, by hand.
for _, line in ipairs(redis.call('ZRANGE', ns .. 'jobs', 0, 99)) do
  local key, instance = split_member(line)
  if not key or not sound(ns .. 'stream:' .. key .. ':' .. instance) then redis.call('ZREM', ns .. 'jobs', line) end
end
return { 'ok', taken, taken >= budget and 1 or 0 }
