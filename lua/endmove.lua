-- endmove: ends the wish that an instance move: it was done, or is given up. A
-- successor that has not taken over is not wanted any more.
-- KEYS: none. Touches reaper, moves, stream:<key>, stream:<key>:<slot>, stream:<key>:<instance>, pending:<type>,
--   outbox, slots:<host>, service:<type>:<host>, load:<type>:<class>, host:<host>,
--   dirty, streams, requeue, jobs, events.
-- ARGV: ns, actor, key, instance, token (of the wish), reason it is given up ('': it is done).
-- RETURN: {'ok', rows of stop commands} | {'stale'} (another wish, or none) |
--   {'hold', reason}; a row is {key, instance, type, host, token}.
-- TWICE: the wish is gone after the first: 'stale'.
local ns, actor, key, instance, token, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
-- include: now
-- include: hold
-- include: event
-- include: dirty
-- include: index
-- include: account
-- include: slot

local why = held()
if why then return { 'hold', why } end
local moves, line = ns .. 'moves', member(key, instance)
local wish = redis.call('HGET', moves, line)
if not wish or string.match(wish, '^%S+') ~= token then return { 'stale' } end
redis.call('HDEL', moves, line)

local at, stops = ns .. 'stream:' .. key .. ':' .. instance, {}
local s = redis.call('HMGET', at, 'state', 'host', 'token', 'with', 'copy')
if reason ~= '' then
  -- A drain tries again and again; only what is new is told.
  local told = redis.call('HGET', at, 'reason') == reason
  if not told then event('move-failed', key, called(key, instance), s[2] or '', token, reason) end
  if s[1] == 'running' and s[3] == token and not told then
    redis.call('HSET', at, 'reason', reason)
  end
end
-- A sidecar that nothing could follow in time is stopped all the same, if it is still not where its target is.
if reason ~= '' and s[4] and s[1] == 'running' and s[3] == token then
  local host = anchor(key, s[4], s[5] or '1')
  if host ~= s[2] then
    redis.call('HSET', at, 'move', host or '*')
    bump(s[2])
  end
end
local heir = successor(key, instance)
if heir then
  stops[1] = unwant(redis.call('HGET', ns .. 'stream:' .. key .. ':' .. heir, 'type'), key, heir, because('move-over'))
end
return { 'ok', stops }
