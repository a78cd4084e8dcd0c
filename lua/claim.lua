-- claim: the host takes up what was placed on it. Only after this may a child
-- start.
-- KEYS: none. Touches reaper, host:<host>, stream:<key>:<slot>, outbox, events.
-- ARGV: ns, actor, key, slot, host, token, incarnation.
-- RETURN: {'ok', now} | {'hold', reason} (ask again) | {'stale', why} (drop it).
-- TWICE: running with the same token and host answers 'ok' again.
local ns, actor, key, slot, host, token, incarnation = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
-- include: now
-- include: hold
-- include: event

local at = ns .. 'stream:' .. key .. ':' .. slot
local s = redis.call('HMGET', at, 'state', 'host', 'token')
local h = redis.call('HMGET', ns .. 'host:' .. host, 'incarnation', 'state')
if h[1] ~= incarnation or h[2] == 'down' then return { 'stale', 'this life of the host is over' } end
if s[3] ~= token or s[2] ~= host then return { 'stale', 'the slot is no longer given to this host under this token' } end
if s[1] ~= 'assigned' and s[1] ~= 'running' then return { 'stale', 'the slot is ' .. (s[1] or 'gone') } end
local why = held()
if why then return { 'hold', why } end
if s[1] == 'assigned' then
  redis.call('HSET', at, 'state', 'running', 'since', int(now))
  redis.call('HDEL', at, 'assigned', 'attempt')
  redis.call('ZREM', ns .. 'outbox', key .. '|' .. slot)
  event('claimed', key, slot, host, token, '')
else
  -- Asked again: a write all the same, as the WAIT that follows speaks of the
  -- writes of its connection, and an earlier answer may have been no.
  redis.call('HSET', at, 'state', 'running')
end
return { 'ok', int(now) }
