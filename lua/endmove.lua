-- endmove: ends the wish that a slot move: it was done, or is given up. A
-- successor that has not taken over is not wanted any more.
-- KEYS: none. Touches reaper, moves, stream:<key>, stream:<key>:<slot>, pending:<type>,
--   outbox, slots:<host>, service:<type>:<host>, load:<type>:<class>, host:<host>,
--   dirty, streams, events.
-- ARGV: ns, actor, key, slot, token (of the wish), reason it is given up ('': it is done).
-- RETURN: {'ok', rows of stop commands} | {'stale'} (another wish, or none) |
--   {'hold', reason}; a row is {key, slot, type, host, token}.
-- TWICE: the wish is gone after the first: 'stale'.
local ns, actor, key, slot, token, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
-- include: now
-- include: hold
-- include: event
-- include: dirty
-- include: index
-- include: account
-- include: slot

local why = held()
if why then return { 'hold', why } end
local moves, member = ns .. 'moves', key .. '|' .. slot
local wish = redis.call('HGET', moves, member)
if not wish or string.match(wish, '^%S+') ~= token then return { 'stale' } end
redis.call('HDEL', moves, member)

local at, stops = ns .. 'stream:' .. key .. ':' .. slot, {}
local s = redis.call('HMGET', at, 'state', 'host', 'token')
if reason ~= '' then
  -- A drain tries again and again; only what is new is told.
  local told = redis.call('HGET', at, 'reason') == reason
  if not told then event('move-failed', key, slot, s[2] or '', token, reason) end
  if s[1] == 'running' and s[3] == token and not told then
    redis.call('HSET', at, 'reason', reason)
  end
end
local n = redis.call('HMGET', at .. '~next', 'state', 'type')
if n[1] and n[1] ~= 'stopping' then
  stops[1] = unwant(n[2], key, slot .. '~next', because('move-over'))
end
return { 'ok', stops }
