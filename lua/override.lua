-- override: takes down an operator's words on a stream, or takes them back, has
-- the stream looked at, and tells who said what.
-- KEYS: none. Touches override:<key>, dirty, events.
-- ARGV: ns, actor, key, reason (of the event), n, n pairs of field and value ('' takes the word back).
-- RETURN: {'ok'}.
-- TWICE: the same words are said again.
local ns, actor, key, reason, n = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local FIRST = 6
-- include: now
-- include: event
-- include: dirty

local words = ns .. 'override:' .. key
for i = 0, n - 1 do
  local field, value = ARGV[FIRST + 2 * i], ARGV[FIRST + 2 * i + 1]
  if value == '' then redis.call('HDEL', words, field) else redis.call('HSET', words, field, value) end
end
mark(key)
event('override', key, '', '', '', reason)
wake('dirty')
return { 'ok' }
