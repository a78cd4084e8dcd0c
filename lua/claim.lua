-- claim: the host takes up what was placed on it. Only after this may a child
-- start; until its host says that one was, the instance's phase is starting.
-- KEYS: none. Touches reaper, host:<host>, stream:<key>:<slot>,
--   stream:<key>:<instance>, outbox, requeue, events.
-- ARGV: ns, actor, key, instance, host, token, incarnation.
-- RETURN: {'ok', now} | {'hold', reason} (ask again) | {'stale', reason} (drop it).
-- TWICE: running with the same token and host answers 'ok' again.
local ns, actor, key, instance, host, token, incarnation = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
-- include: now
-- include: hold
-- include: event
-- include: mirror
-- include: again

local slot = slot_of(instance)
local at = ns .. 'stream:' .. key .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'host', 'token', 'alone')
local h = redis.call('HMGET', ns .. 'host:' .. host, 'incarnation', 'state')
if h[1] ~= incarnation or h[2] == 'down' then return { 'stale', because('life-over') } end
if s[3] ~= token or s[2] ~= host then return { 'stale', because('not-given') } end
if s[1] ~= 'assigned' and s[1] ~= 'running' then return { 'stale', because('slot-is', 'state', s[1] or 'gone') } end
local why = held()
if why then return { 'hold', why } end
if s[1] == 'running' then
  -- Asked again: a write all the same, as the WAIT that follows speaks of the
  -- writes of its connection, and an earlier answer may have been no.
  redis.call('HSET', at, 'state', 'running')
  return { 'ok', int(now) }
end

redis.call('HSET', at, 'state', 'running', 'phase', 'starting', 'since', int(now))
redis.call('HDEL', at, 'assigned', 'sending', 'up')
redis.call('ZREM', ns .. 'outbox', member(key, instance))
local name, leads = mirror(key, slot, instance, s[4], 'running', host)
if leads and not s[4] then again(key, now + PATIENCE) end -- if it is not ready by then
event('claimed', key, name, host, token, '')
return { 'ok', int(now) }
