-- claim: the host takes up what was placed on it. Only after this may a child
-- start; until its host says that one was, the slot's phase is starting. A successor whose slot lost its holder meanwhile takes the slot's name
-- at once, under which its runner finds it at the next look.
-- KEYS: none. Touches reaper, moves, host:<host>, stream:<key>, stream:<key>:<slot>, outbox,
--   pending:<type>, slots:<host>, service:<type>:<host>, load:<type>:<class>, events.
-- ARGV: ns, actor, key, slot, host, token, incarnation.
-- RETURN: {'ok', now} | {'hold', reason} (ask again) | {'stale', reason} (drop it).
-- TWICE: running with the same token and host answers 'ok' again.
local ns, actor, key, slot, host, token, incarnation = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
-- include: now
-- include: hold
-- include: event
-- include: dirty
-- include: index
-- include: account
-- include: slot

local at = ns .. 'stream:' .. key .. ':' .. slot
local s = redis.call('HMGET', at, 'state', 'host', 'token', 'type')
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

local own, old = string.match(slot, '^(.*)~next$'), {}
if own then
  old = redis.call('HMGET', ns .. 'stream:' .. key .. ':' .. own, 'state', 'host', 'token')
  -- The wish names whom it is to follow. Anybody else has the slot by now.
  local wish = redis.call('HGET', ns .. 'moves', key .. '|' .. own)
  if old[1] == 'running' and string.match(wish or '', '^%S+') ~= old[3] then
    return { 'stale', because('runs-elsewhere') }
  end
end
redis.call('HSET', at, 'state', 'running', 'phase', 'starting', 'since', int(now))
redis.call('HDEL', at, 'assigned', 'attempt')
redis.call('ZREM', ns .. 'outbox', key .. '|' .. slot)
event('claimed', key, slot, host, token, '')
if old[1] == 'assigned' then give_back(s[4], key, own, old[2]) end
if old[1] == 'assigned' or old[1] == 'pending' then
  redis.call('ZREM', ns .. 'pending:' .. s[4], key .. '|' .. own)
  promote(s[4], key, own, 'its holder was gone')
end
return { 'ok', int(now) }
