-- requeuedue: marks the streams that were requeued for a time that has come.
-- Nobody asks for more than a day from now; a later time was set by hand, or
-- before the clock went back.
-- KEYS: none. Touches requeue, dirty.
-- ARGV: ns, actor, n (streams at most).
-- RETURN: {'ok', streams marked}.
-- TWICE: what was marked is no longer in requeue.
local ns, actor, n = ARGV[1], ARGV[2], tonumber(ARGV[3])
-- include: now
-- include: event
-- include: dirty

local later = ns .. 'requeue'
local due = redis.call('ZRANGE', later, '-inf', int(now), 'BYSCORE', 'LIMIT', 0, n)
for _, key in ipairs(redis.call('ZRANGE', later, int(now + 90000000), '+inf', 'BYSCORE', 'LIMIT', 0, n)) do
  due[#due + 1] = key
end
for _, key in ipairs(due) do
  redis.call('ZREM', later, key)
  mark(key)
end
if #due > 0 then wake('dirty') end
return { 'ok', #due }
