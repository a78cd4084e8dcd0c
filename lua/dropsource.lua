-- dropsource: forgets a source that nobody polls any more, by an operator's word,
-- and takes back what it announces. Nothing else ever does: unknown is not gone.
-- KEYS: none. Touches sources, source:<source>, announced:<source>, missing:<source>, differs:<source>,
--   dirty, events.
-- ARGV: ns, actor, source, quiet (ms for which no poller may have spoken).
-- RETURN: {'ok', streams it announced} | {'absent'} | {'polled', poller, ms since it spoke}.
-- TWICE: the second finds nothing: 'absent'.
local ns, actor, source, quiet = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
-- include: now
-- include: event
-- include: dirty
-- include: sound

local record, announced = ns .. 'source:' .. source, ns .. 'announced:' .. source
if redis.call('SISMEMBER', ns .. 'sources', source) == 0 then return { 'absent' } end
local r = sound(record) and redis.call('HMGET', record, 'poller', 'last_good', 'last_bad') or {}
local ago = now - math.max(stamp(r[2]) or 0, stamp(r[3]) or 0)
if ago < quiet then return { 'polled', r[1] or '', int(math.max(ago, 0)) } end
local keys = sound(announced) and redis.call('HKEYS', announced) or {}
redis.call('DEL', announced, ns .. 'missing:' .. source, ns .. 'differs:' .. source, record)
redis.call('SREM', ns .. 'sources', source)
for _, key in ipairs(keys) do mark(key) end
event('source-dropped', '', '', '', '', because('source-dropped', 'source', source, 'streams', #keys))
wake('dirty')
return { 'ok', #keys }
