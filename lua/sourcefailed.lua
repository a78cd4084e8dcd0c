-- sourcefailed: a poll of a source failed or could not be read. Nothing is gone for
-- that; it is only not known any more.
-- KEYS: none. Touches sources, source:<source>, events.
-- ARGV: ns, actor, source, identity, poller, problem, patience (ms since the last good poll
--   of any poller before the source counts as unknown).
-- RETURN: {'ok', 'good' | 'unknown'} | {'taken', identity, poller}.
-- TWICE: sets the same words again.
local ns, actor, source, identity, poller, problem, patience = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
-- include: now
-- include: event

local record = ns .. 'source:' .. source
local r = redis.call('HMGET', record, 'identity', 'poller', 'last_good', 'state')
local age = math.abs(now - (stamp(r[3]) or 0))
local fresh = age < patience
if r[1] and r[1] ~= identity and r[2] ~= poller and age < 15000 then return { 'taken', r[1], r[2] or '' } end
redis.call('SADD', ns .. 'sources', source)
if fresh then return { 'ok', 'good' } end -- another poller sees it
if r[4] ~= 'unknown' then
  event('source-unknown', '', '', '', '', because('source-fails', 'error', problem, 'source', source))
  redis.call('HSET', record, 'unknown_since', int(now))
end
redis.call('HSET', record, 'identity', identity, 'poller', poller, 'state', 'unknown', 'error', problem, 'last_bad', int(now))
return { 'ok', 'unknown' }
